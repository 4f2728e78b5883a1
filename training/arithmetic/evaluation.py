"""The exact value of a sum, by precedence climbing. Depth, digits and exponents are bounded."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import NamedTuple

from training.arithmetic.items import OPERANDS, Item

MAX_DEPTH = 20
MAX_EXPONENT = 64
MAX_BITS = 1024  # of a value's numerator and denominator
PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "of": 2, "()": 2, "tight": 3, "^": 4}


class Unreadable(Exception):
    """What is written is no sum, or one too large to work out."""


class Reading(NamedTuple):
    """One of the ways in which people mean what they write.

    `percent`: "hundredth" (20 % is 0.2), "unit" (20 % is 20, a share named in percent) or "change" (50 + 20 % is 60).
    `tight`: 12 / 1/2 is a division by a half, 8/2(3) one by 2(3). `scaled`: 2 million is 2 000 000,
    or 2 of what is counted in millions.
    """

    percent: str = "hundredth"
    tight: bool = False
    scaled: bool = True


def readings(items: Sequence[Item]) -> Iterator[Reading]:
    """Every reading that could matter to sums with these parts, the strict one first."""
    shares = {item.percent for item in items if item.kind == "number"}
    percent = ("hundredth", "unit", "change")[: 1 + (True in shares) + (len(shares) > 1)]
    tight = (False, True) if any(_is_tight(items, at) for at in range(2, len(items))) else (False,)
    scaled = (True, False) if any(item.scale != 1 for item in items) else (True,)
    return (Reading(*choice) for choice in product(percent, tight, scaled))


def evaluate(items: Sequence[Item], reading: Reading) -> Fraction:
    """The value of the sum that `items` write. Raises Unreadable where they write none."""
    cursor = _Cursor(items, reading)
    value = cursor.sum(0, 0)
    if cursor.peek():
        raise Unreadable
    return value


def _is_tight(items: Sequence[Item], at: int) -> bool:
    """Whether this sign or bracket could belong to the number before it, which divides something."""
    item = items[at]
    binds = item.text == "/" or (item.kind == "open" and item.tight)
    return binds and items[at - 1].kind == "number" and items[at - 2].text == "/"


class _Cursor:
    """The place in a sum that has been read so far."""

    def __init__(self, items: Sequence[Item], reading: Reading):
        self.items, self.reading, self.at = items, reading, 0

    def peek(self) -> Item | None:
        return self.items[self.at] if self.at < len(self.items) else None

    def take(self) -> Item:
        if self.at == len(self.items):
            raise Unreadable
        self.at += 1
        return self.items[self.at - 1]

    def sum(self, precedence: int, depth: int) -> Fraction:
        """What stands from here on up to a sign that binds more loosely than `precedence`."""
        if depth > MAX_DEPTH:
            raise Unreadable
        value = self.operand(depth)
        while (sign := self.sign()) and PRECEDENCE[sign[0]] > precedence:
            self.at += sign[1] != "()"
            start = self.at
            right = self.sum(PRECEDENCE[sign[0]] - (sign[1] == "^"), depth + 1)
            value = self.combine(sign[1], value, right, self.items[start : self.at])
        return value

    def sign(self) -> tuple[str, str] | None:
        """The binding of the sign that follows, and its meaning; "()" for a bracket that multiplies."""
        item = self.peek()
        if item is None or item.kind == "close":
            return None
        if item.kind == "open" and self.at and self.items[self.at - 1].kind in OPERANDS:
            return "tight" if self.reading.tight and _is_tight(self.items, self.at) else "()", "()"
        if item.kind != "sign":
            raise Unreadable
        return "tight" if self.reading.tight and _is_tight(self.items, self.at) else item.text, item.text

    def operand(self, depth: int) -> Fraction:
        item = self.take()
        if item.kind == "number" and item.number:
            return self.number(item)
        if item.kind == "open":
            value = self.sum(0, depth + 1)
            if self.take().kind != "close":
                raise Unreadable
            return value
        following = self.peek()
        if item.text != "-" or not following or following.kind not in ("number", "open"):
            raise Unreadable
        value = self.sum(PRECEDENCE["^"], depth + 1)
        following = self.peek()
        if following and following.text == "^":  # -2^2 is 4 to some and -4 to others
            raise Unreadable
        return -value

    def number(self, item: Item) -> Fraction:
        value = item.number.value if item.number else Fraction(0)
        if item.percent and self.reading.percent != "unit":
            value /= 100
        return value * item.scale if self.reading.scaled else value

    def combine(self, sign: str, left: Fraction, right: Fraction, written: Sequence[Item]) -> Fraction:
        changes = self.reading.percent == "change" and len(written) == 1 and written[0].percent
        if sign in ("+", "-") and changes:
            right *= left
        return _bounded(APPLY[sign](left, right))


def _divide(left: Fraction, right: Fraction) -> Fraction:
    if not right:
        raise Unreadable
    return left / right


def _floor(left: Fraction, right: Fraction) -> Fraction:
    return Fraction(_divide(left, right).__floor__())


def _power(left: Fraction, right: Fraction) -> Fraction:
    bits = left.numerator.bit_length() + left.denominator.bit_length()
    if right.denominator != 1 or not 0 <= right <= MAX_EXPONENT or bits * right > MAX_BITS:
        raise Unreadable
    return left ** int(right)


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise Unreadable
    return value


APPLY: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": Fraction.__add__,
    "-": Fraction.__sub__,
    "*": Fraction.__mul__,
    "of": Fraction.__mul__,
    "()": Fraction.__mul__,
    "/": _divide,
    "//": _floor,
    "^": _power,
}
