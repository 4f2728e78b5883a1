"""Every equation in a text of prose, and whether it is right. No `eval`: our own reader, exact fractions, linear time.

What cannot be read with certainty is no equation: `x = 5`, `half of 10 = 5`, `5 more than 2 * 3 = 11`. People write
sums loosely, and an equation is wrong only if it is wrong in every way in which people mean it: `50 - 20% = 40`,
`7/20*100 = 35%`, `30 minutes * 4 = 2 hours` and `12 / 1/2 = 24` are right.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from training.arithmetic.items import Item, read_items
from training.arithmetic.tokens import read_number, read_tokens
from training.arithmetic.verdicts import Verdict, judge, works

__all__ = ["CheckedSteps", "Equation", "Verdict", "check_steps", "equations"]

MAX_ITEMS = 100  # of one side; a longer one is not read
MAX_EQUATIONS = 1000  # of one text; what comes behind them is not read


@dataclass(frozen=True)
class Equation:
    """Two sums with an equals sign between them, at `text[start:end]`; of a chain `a = b = c`, each neighbouring pair.

    `left` and `right` are exact and of the reading that fits best. `rounded`: right to the digits shown.
    """

    start: int
    end: int
    text: str
    left: Fraction
    right: Fraction
    verdict: Verdict

    @property
    def ok(self) -> bool:
        return self.verdict != "wrong"

    @property
    def reason(self) -> str:
        """Why it is wrong, in words; "" when it is not."""
        if self.ok:
            return ""
        left, right = (side.strip() for side in self.text.split("="))
        worked_out = "" if read_number(right) else f", which is {shown(self.right)}"
        return f"{left} is {shown(self.left)}, not {right}{worked_out}"


class CheckedSteps(NamedTuple):
    """The equations of each step, and the index of the first step that has a wrong one."""

    equations: list[list[Equation]]
    first_wrong: int | None

    def count(self, verdict: Verdict) -> int:
        return sum(equation.verdict == verdict for step in self.equations for equation in step)


def check_steps(steps: Iterable[str]) -> CheckedSteps:
    """Reads every equation in every step."""
    found = [equations(step) for step in steps]
    wrong = (index for index, step in enumerate(found) if not all(equation.ok for equation in step))
    return CheckedSteps(found, next(wrong, None))


def equations(text: str) -> list[Equation]:
    """The equations of a text in order."""
    if "=" not in text:
        return []
    tokens = list(read_tokens(text))
    items = read_items(tokens)
    words = {token.text.casefold() for token in tokens if token.kind == "word"}
    signs = (at for at, item in enumerate(items) if item.kind == "equals")
    found = (_equation(text, items, at, words) for at in islice(signs, MAX_EQUATIONS))
    return [equation for equation in found if equation]


def shown(value: Fraction) -> str:
    """A value for people: exact if it is short, else to six digits."""
    if value.denominator == 1 and abs(value) < 10**15:
        return str(value.numerator)
    return f"{float(value):.6g}" if abs(value) < 10**300 else "more than can be shown"


def _before(items: Sequence[Item], equals: int) -> Sequence[Item]:
    """The sum that ends right before the sign with what stands before it, or nothing."""
    at, depth = equals, 0
    while items[at - 1].kind not in ("gap", "equals"):
        depth += (items[at - 1].kind == "close") - (items[at - 1].kind == "open")
        if depth < 0 or equals - at > MAX_ITEMS:
            break
        at -= 1
    edge, first = items[at - 1], items[at]
    begins = edge.begins and (edge.clean or first.kind != "sign") if edge.kind == "gap" else not _goes_on(items, at - 1)
    return items[at - 1 : equals] if begins and equals - at <= MAX_ITEMS else items[:1]


def _goes_on(items: Sequence[Item], at: int) -> bool:
    """Whether an open bracket there, never closed, continues a sum before it."""
    return items[at].kind == "open" and items[at - 1].kind not in ("gap", "equals")


def _after(items: Sequence[Item], equals: int) -> Sequence[Item]:
    """The sum that begins right behind the sign, or nothing."""
    at, depth = equals + 1, 0
    while items[at].kind not in ("gap", "equals"):
        depth += (items[at].kind == "open") - (items[at].kind == "close")
        if depth < 0 or at - equals > MAX_ITEMS:
            break
        at += 1
    ends = items[at].kind != "gap" or items[at].ends
    return items[equals + 1 : at] if ends and at - equals <= MAX_ITEMS else ()


def _equation(text: str, items: Sequence[Item], equals: int, words: set[str]) -> Equation | None:
    """None where a side cannot be read, and where neither works anything out. `words`: all those of the text."""
    (edge, *left), right = _before(items, equals), _after(items, equals)
    if not left or not right or not (works(left) or (works(right) and _is_bare(left, edge, right))):
        return None
    judged = judge(left, right, words, sure=_begins_surely(left[0], edge))
    start, end = left[0].start, right[-1].end
    return Equation(start, end, text[start:end], *judged) if judged else None


def _is_bare(side: Sequence[Item], edge: Item, other: Sequence[Item]) -> bool:
    """Whether a side is one number and nothing else: not the end of a sentence that counts something."""
    dressed = any(item.percent for item in (*side, *other)) or side[-1].units or side[-1].scale != 1
    return len(side) == 1 and not dressed and (edge.clean or edge.kind == "equals")


def _begins_surely(first: Item, edge: Item) -> bool:
    """Whether a sum begins where it seems to: a bracket after words may be a remark, as in "and Shonda (1) + 2"."""
    return edge.sure and (first.kind != "open" or edge.clean or edge.kind == "equals")
