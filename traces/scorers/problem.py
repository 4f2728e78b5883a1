"""Whether each step of a generated problem is right, by the problem's own checker."""

from traces.scorers.scorer import Judged, Scorer, StepMark, marked
from training.problems import PROBLEMS


def score(payload: dict) -> Judged:
    name = (payload["meta"] or {}).get("problem")
    problem = PROBLEMS.get(name) if isinstance(name, str) else None
    if problem is None:
        return None, {"reason": "the trace names no problem of ours in its meta"}
    if problem.group(payload["prompt"]) is None:
        return None, {"reason": f"the prompt is none of the problem {name}", "problem": name}
    checks = problem.check(payload)
    right = sum(check.ok for check in checks)
    marks = [StepMark(check.i, check.ok, check.reason) for check in checks]
    return 100 * right / len(checks), {"problem": name, "right": right, "wrong": len(checks) - right} | marked(marks)


SCORER = Scorer(
    name="problem",
    version="1",
    title="Do the steps solve the problem?",
    description="The share of steps that the checker of a generated problem accepts.",
    score=score,
    order=4,
    verdict=True,
    steps=True,
)
