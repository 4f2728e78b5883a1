"""Whether a run may take the place of another: not when it is surely worse, as a whole or in a part.

What is not sure does not close the gate. With few items much could be worse without being sure, and the interval in
the reason says how much.
"""

import re
from dataclasses import dataclass
from typing import Any

from training.decision import Decided, Evidence
from training.errors import Fault, Invalid, echo
from training.slices import WORSE, Slice

MARGIN = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?", re.ASCII)


@dataclass(frozen=True)
class Gate:
    """What the gate says, with the reason in one sentence. `margin` are the points that it lets pass."""

    passed: bool
    reason: str
    margin: float
    evidence: Evidence
    worse: list[Slice]

    def to_dict(self) -> dict[str, Any]:
        names = ("n", "won", "lost", "skipped", "asked_in_one", "difference", "p_value")
        figures = {name: getattr(self.evidence, name) for name in names} | {"interval": list(self.evidence.interval)}
        said = {"passed": self.passed, "reason": self.reason, "margin": self.margin}
        return said | figures | {"worse": [each.to_dict() for each in self.worse]}


def pass_gate(found: Decided, *, margin: float = 0.0) -> Gate:
    """Worse is what McNemar's exact test calls worse, of a slice after Holm's correction, and where the whole 95 %
    interval lies beyond the margin. The gate stays closed, too, where the two were not asked the same.
    """
    seen = found.decision.evidence
    worse = [each for each in found.slices or () if each.mark == WORSE and _is_beyond(each, margin)]
    is_worse = seen.is_sure and seen.lost > seen.won and _is_beyond(seen, margin)
    passed = not (is_worse or worse or seen.asked_in_one or not seen.n)
    return Gate(passed, _reason(seen, is_worse, worse, margin), margin, seen, worse)


def read_margin(text: str) -> float:
    """Points as somebody typed them. Raises Invalid for what is no number from 0 to 100."""
    if not MARGIN.fullmatch(text) or float(text) > 100:
        raise Invalid(Fault(("margin",), f"must be a number of points from 0 to 100, not {echo(text)}", "wrong_value"))
    return float(text)


def _is_beyond(seen: Evidence | Slice, margin: float) -> bool:
    return 100 * seen.interval[1] < -margin


def _reason(seen: Evidence, is_worse: bool, worse: list[Slice], margin: float) -> str:
    if not seen.n:
        return "No item was judged in both, so nothing is known."
    allowed = f", where {margin:g} points are allowed" if margin else ""
    whole = f"{_figures(seen)}, {seen.p}{allowed}"
    if is_worse:
        return f"Surely worse: {whole}."
    if worse:
        return f"Surely worse on {_worst(worse)}; as a whole {whole}."
    if seen.asked_in_one:
        return f"Asked otherwise: {seen.asked_in_one} of the items could be asked in only one of the two; {whole}."
    return f"Not surely worse: {whole}."


def _worst(worse: list[Slice]) -> str:
    """The slice that is worse most surely, and how many more there are."""
    first = min(worse, key=lambda each: each.holm_p or 0.0)
    more = f", and on {len(worse) - 1} more" if len(worse) > 1 else ""
    return f"{first.dimension} {echo(first.label)} ({_figures(first)}, Holm-adjusted {first.holm}){more}"


def _figures(seen: Evidence | Slice) -> str:
    low, high = seen.interval
    points = f"{100 * seen.difference:+.1f} points, {100 * low:+.1f} to {100 * high:+.1f}"
    return f"{seen.won} won and {seen.lost} lost of {seen.n} ({points})"
