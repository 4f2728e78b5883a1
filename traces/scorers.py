"""Scorers: what a trace looks like by a fixed rule. Pure, named and versioned: a score says who gave it."""

from collections.abc import Callable
from dataclasses import dataclass

from training.errors import Fault, Invalid, echo

FULL_STEPS = 10  # steps for the whole half of the baseline
FULL_LENGTH = 500  # characters of the mean step for its other half


@dataclass(frozen=True)
class Scorer:
    """`score(payload)` gives points from 0 to 100 and the details they come from."""

    name: str
    version: str
    score: Callable[[dict], tuple[float, dict]]


def scorer(name: object) -> Scorer:
    """The scorer of that name; raises Invalid when there is none."""
    if not isinstance(name, str) or name not in SCORERS:
        message = f"{echo(name)} is not a scorer; choose one of {', '.join(SCORERS)}"
        raise Invalid(Fault(("criteria",), message, "unknown_scorer"))
    return SCORERS[name]


def baseline(payload: dict) -> tuple[float, dict]:
    """How much is shown, not whether it is right: 50 points for ten steps, 50 for steps of 500 characters."""
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


SCORERS = {scorer.name: scorer for scorer in (Scorer("baseline", "1", baseline),)}
VERDICTS: tuple[str, ...] = ()  # the scorers of right and wrong: two of them may disagree
