"""Whether each step of a generated problem is right, by the problem's own checker."""

from traces.scorers.scorer import Judged, Scorer, StepMark, marked
from training.judges import same_answer
from training.problems import PROBLEMS, solution_of


def score(payload: dict) -> Judged:
    name = (payload["meta"] or {}).get("problem")
    problem = PROBLEMS.get(name) if isinstance(name, str) else None
    if problem is None:
        return None, {"reason": "the trace names no problem of ours in its meta"}
    if problem.group(payload["prompt"]) is None:
        return None, {"reason": f"the prompt is none of the problem {name}", "problem": name}
    checks = problem.check(payload)
    marks = [StepMark(check.i, check.ok, check.reason) for check in checks]
    right, due = sum(check.ok for check in checks), len(checks)
    details: dict = {"problem": name, "right": right, "wrong": due - right}
    if solution := solution_of(payload):
        due = max(due, len(solution.steps))
        details |= {"missing": due - len(checks), "right_answer": solution.final_answer}
        if not same_answer(payload["final_answer"], solution.final_answer):
            due += 1  # the answer counts as a step that is wrong
            details["answer"] = f"is not {solution.final_answer}"
    return 100 * right / due, details | marked(marks)


SCORER = Scorer(
    name="problem",
    version="2",
    title="Do the steps solve the problem?",
    description="The share of the steps due that are right, by the problem's own checker; a wrong answer is one more.",
    score=score,
    order=4,
    verdict=True,
    steps=True,
)
