"""The steps of a trace with everything that was said of each."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from traces.models import Score, StepReview, Trace


@dataclass(frozen=True)
class Verdict:
    """What a scorer found in a step."""

    scorer: str
    ok: bool
    reason: str


@dataclass(frozen=True)
class JudgedStep:
    i: int
    type: str
    content: str
    verdicts: list[Verdict] = field(default_factory=list)
    reviews: list[StepReview] = field(default_factory=list)

    @property
    def is_wrong(self) -> bool:
        """A person, or, where no person has spoken, a scorer found a mistake in it."""
        if self.reviews:
            return any(review.rating < 0 for review in self.reviews)
        return any(not verdict.ok for verdict in self.verdicts)


def judged_steps(trace: Trace) -> list[JudgedStep]:
    """The steps in order. `trace` comes from `for_detail`: what was said of it is read already."""
    verdicts, reviews = _verdicts(trace.scores.all()), defaultdict(list)
    for review in trace.reviews.all():
        reviews[review.step].append(review)
    return [JudgedStep(**step, verdicts=verdicts[step["i"]], reviews=reviews[step["i"]]) for step in trace.steps]


def _verdicts(scores: Iterable[Score]) -> dict[int, list[Verdict]]:
    """What scorers of steps say (`details["steps"]`), by step, the newest version of each."""
    found: dict[int, list[Verdict]] = defaultdict(list)
    seen = set()
    for score in scores:  # by scorer, newest first
        if score.scorer not in seen:
            seen.add(score.scorer)
            for step in score.details.get("steps", ()):
                found[step["i"]].append(Verdict(score.scorer, step["ok"], step.get("reason", "")))
    return found
