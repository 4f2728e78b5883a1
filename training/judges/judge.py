"""What a judge is."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Item = Mapping[str, Any]


class Judgement(NamedTuple):
    """A score in [0, 1] and the reason for it, a sentence for people."""

    score: float
    reason: str


class Judge(NamedTuple):
    """A pure function from an item (a mapping with `expected_answer`, and with `prompt` and `steps` where they are
    known), an output and the recipe that the model was taught by to a judgement.

    None where there is nothing to judge: no score is better than one that means nothing. `version` changes whenever
    the same output could get another score.
    """

    name: str
    version: str
    judge: Callable[[Item, str, str], Judgement | None]
