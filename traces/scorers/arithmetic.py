"""Whether the sums in the steps are right."""

from traces.scorers.scorer import Judged, Scorer, StepMark, marked
from training.arithmetic import Equation, check_steps


def score(payload: dict) -> Judged:
    checked = check_steps(step["content"] for step in payload["steps"])
    counts = {verdict: checked.count(verdict) for verdict in ("right", "rounded", "wrong")}
    marks = [_mark(step["i"], found) for step, found in zip(payload["steps"], checked.equations, strict=True) if found]
    total = sum(counts.values())
    points = 100 * (total - counts["wrong"]) / total if total else None
    return points, counts | marked(marks)


def _mark(i: int, found: list[Equation]) -> StepMark:
    reasons = [equation.reason for equation in found if not equation.ok]
    return StepMark(i, not reasons, "; ".join(reasons[:5]))


SCORER = Scorer(
    name="arithmetic",
    version="1",
    title="Are the sums right?",
    description="The share of the equations in the steps that are right, rounded results included.",
    score=score,
    order=2,
    verdict=True,
    steps=True,
)
