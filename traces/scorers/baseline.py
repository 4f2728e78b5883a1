"""How much a trace shows, not whether it is right."""

from traces.scorers.scorer import Judged, Scorer

FULL_STEPS = 10  # steps for the whole half of the points
FULL_LENGTH = 500  # characters of the mean step for the other half


def score(payload: dict) -> Judged:
    lengths = [len(step["content"]) for step in payload["steps"]]
    mean = sum(lengths) / len(lengths)
    step_score = min(len(lengths) / FULL_STEPS, 1) * 50
    length_score = min(mean / FULL_LENGTH, 1) * 50
    details = {
        "step_score": step_score,
        "length_score": length_score,
        "n_steps": len(lengths),
        "mean_step_length": mean,
    }
    return step_score + length_score, details


SCORER = Scorer(
    name="baseline",
    version="1",
    title="How much is shown",
    description="50 points for ten steps, 50 for steps of 500 characters. It does not say whether they are right.",
    score=score,
    order=1,
)
