"""Tokens as the parts of sums: numbers with their units, signs, brackets, equals signs, and gaps where no sum goes on.

Prose surrounds sums and stands inside them (`24 dishes + 12 cups = 36`). Words after a number are its unit, and the
sum goes on behind them; where it is not certain what was meant, the gap spoils the sums that touch it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from training.arithmetic.tokens import SIGNS, Number, Token, read_number, read_power
from training.arithmetic.units import SCALES, UNITS
from training.arithmetic.words import CLAUSES, DETERMINERS, LINKS, OPENERS, ORDINALS, SPOILERS, SPOKEN

MAX_UNIT_WORDS = 8
MONEY = frozenset("$€£¥₹¢")
OPERANDS = ("number", "close")
WORDY = ("word", "note", "join")


@dataclass
class Item:
    """One part. `kind`: number, sign, open, close, equals or gap.

    `tight`: a bracket that touches the number before it. A gap says whether a sum
    may end before it (`ends`) and whether one may begin behind it (`begins`); `clean` is one without words. What is
    not `sure` leaves a doubt whether it means what it says.
    """

    kind: str
    start: int
    end: int
    text: str = ""
    number: Number | None = None
    percent: bool = False
    scale: Fraction = Fraction(1)
    units: set[str] = field(default_factory=set)
    tight: bool = False
    ends: bool = False
    begins: bool = False
    clean: bool = False
    sure: bool = True


def read_items(tokens: Sequence[Token]) -> list[Item]:
    """The parts of a whole text, in order, between two gaps."""
    end = tokens[-1].end if tokens else 0
    edge = Token("stop", "", end, end, True)
    tokens, found, at = [*tokens, edge, edge], [_edge(0)], 0
    while at < len(tokens) - 1:
        run = _words(tokens, at) if found[-1].kind in OPERANDS or tokens[at].text != "/" else 0
        if run:
            found += _read_words(tokens[at : at + run], found, tokens[at + run : at + run + 3])
        else:
            found += _read_token(tokens[at - 1] if at else edge, tokens[at], tokens[at + 1], found)
        at += run or 1
    return found


def _edge(place: int) -> Item:
    return Item("gap", place, place, "", ends=True, begins=True, clean=True)


def _words(tokens: Sequence[Token], at: int) -> int:
    """How many tokens from `at` on are words, a slash between words, or the one of `$10/hour`, included."""
    end = at
    while tokens[end].kind in WORDY or (tokens[end].text == "/" and tokens[end + 1].kind in WORDY):
        end += 1
    return end - at


def _read_words(run: Sequence[Token], found: list[Item], behind: Sequence[Token]) -> list[Item]:
    """What words mean between the last part and the tokens behind them: a unit, a sign, or a gap."""
    before = found[-1]
    words = [word.strip("'’.,") for token in run if token.kind != "join" for word in token.text.strip("()/").split()]
    if before.kind in OPERANDS and run[0].kind == "note" and not run[0].spaced:
        return [_gap(run)]  # 2(price)
    if before.kind == "number" and words and not run[0].spaced and words[0] in ORDINALS:
        if found[-2].text != "/":
            return [_gap(run, ends=True, begins=True, sure=_opens(words))]
        del words[0]
    if before.kind == "number":
        _take_number_words(words, before)
    if not words:
        return []
    if before.kind in OPERANDS:
        return _after_operand(words, run, found, behind)
    if before.kind == "sign":
        return [] if set(words) <= DETERMINERS else [_gap(run)]
    return [_gap(run, ends=True, begins=True, sure=_opens(words))]


def _take_number_words(words: list[str], number: Item) -> None:
    """Takes from `words` those that change the number itself."""
    if words and words[0].casefold() in SCALES:
        number.scale = SCALES[words.pop(0).casefold()]
    if words and words[0] == "percent":
        number.percent = bool(words.pop(0))


def _after_operand(words: list[str], run: Sequence[Token], found: list[Item], behind: Sequence[Token]) -> list[Item]:
    before, opens = found[-1], behind[0].kind in ("number", "open")
    goes_on = behind[0].kind in ("sign", "cross", "equals")
    if words[0] == "of" and _is_share(found):
        if opens and set(words[1:]) <= DETERMINERS:
            return [Item("sign", run[0].start, run[-1].end, "of")]
        before.sure = False
    glued = len(words[0]) == 1 and not run[0].spaced
    before.sure = before.sure and not (glued or _has_unknown(words if goes_on else words[:1]))
    if CLAUSES.intersection(words) or len(words) > MAX_UNIT_WORDS:
        return [_gap(run, ends=True, begins=True, sure=_opens(words))]
    sign = _spoken_sign(words, run) if opens else None
    if words and (words[0] in SPOILERS or (goes_on and SPOILERS.intersection(words))):
        return [_gap(run)]
    before.units.update(word.casefold() for word in words)
    if sign:
        return [sign]
    if opens:
        sure = _opens(words, OPENERS | LINKS) and not (
            UNITS.intersection(words) and set(words) <= UNITS | {"and", "of"}
        )
        mixed = words == ["and"] and any(token.text == "/" for token in behind)  # 5 and 2/3
        return [_gap(run, ends=not mixed, begins=not mixed, sure=sure)]
    return []


def _spoken_sign(words: list[str], run: Sequence[Token]) -> Item | None:
    """The sign that the last words say, which are then taken from `words`."""
    for spoken, meaning in SPOKEN.items():
        if tuple(words[-len(spoken) :]) == spoken:
            del words[-len(spoken) :]
            return Item("sign", run[-1].start, run[-1].end, meaning, sure=False)
    return None


def _is_share(found: list[Item]) -> bool:
    """Whether the sum so far ends with a part of something: 20 %, 3/4, ½."""
    number = found[-1]
    vulgar = number.number is not None and number.number.decimals is None
    return number.percent or vulgar or (len(found) > 1 and found[-2].text == "/")


def _has_unknown(words: list[str]) -> bool:
    """Single letters stand for unknowns as often as for units."""
    return any(len(word) == 1 and word not in "aI" for word in words)


def _opens(words: list[str], openers: frozenset[str] = OPENERS) -> bool:
    """Whether a sum surely begins behind these words."""
    named = [word.casefold() for word in words if word.casefold() not in DETERMINERS and word != "of"]
    return not named or not (named[-1] in openers or _has_unknown(named[-1:]))


def _gap(run: Sequence[Token], *, ends: bool = False, begins: bool = False, sure: bool = True) -> Item:
    return Item("gap", run[0].start, run[-1].end, ends=ends, begins=begins, sure=sure)


def _read_token(previous: Token, token: Token, after: Token, found: list[Item]) -> list[Item]:
    """The parts that one token other than a word makes; some only change the number before them."""
    reader = READERS.get(token.kind)
    return reader(previous, token, after, found) if reader else [_gap([token])]


def _part(token: Token, kind: str, text: str = "", **fields) -> Item:
    return Item(kind, token.start, token.end, text or token.text, **fields)


def _read_stop(previous: Token, token: Token, after: Token, found: list[Item]) -> list[Item]:
    """A mark of exclamation at a number might be a factorial, a comma between two might stand inside one."""
    factorial = token.text == "!" and not token.spaced and found[-1].kind in OPERANDS
    split = token.text == "," and previous.kind == after.kind == "number"
    return [_part(token, "gap", ends=not factorial, begins=found[-1].kind != "sign", clean=True, sure=not split)]


def _read_number(previous: Token, token: Token, after: Token, found: list[Item]) -> list[Item]:
    number = read_number(token.text)
    if number is None or found[-1].kind in OPERANDS:
        return [_gap([token])]
    return [_part(token, "number", number=number, units=set(token.text) & MONEY)]


def _read_power(previous: Token, token: Token, after: Token, found: list[Item]) -> list[Item]:
    number = read_power(token.text)
    if number is None or token.spaced or found[-1].kind not in OPERANDS:
        return [_gap([token])]
    return [_part(token, "sign", "^"), _part(token, "number", number=number)]


def _read_percent(previous: Token, token: Token, after: Token, found: list[Item]) -> list[Item]:
    if found[-1].kind != "number":
        return [_gap([token])]
    found[-1].percent, found[-1].end = True, token.end
    return []


def _read_money(previous: Token, token: Token, after: Token, found: list[Item]) -> list[Item]:
    if found[-1].kind == "number" and not token.spaced:
        found[-1].units.add(token.text[-1])
        found[-1].end = token.end
    return []


def _read_cross(previous: Token, token: Token, after: Token, found: list[Item]) -> list[Item]:
    return [_part(token, "sign", "*") if found[-1].kind in OPERANDS else _gap([token])]


def _read_sign(previous: Token, token: Token, after: Token, found: list[Item]) -> list[Item]:
    """A sign before a word has no second number, unless an article only stands between them."""
    text = SIGNS.get(token.text, token.text)
    if found[-1].clean and token.spaced and after.spaced and text in "+-*":
        return [_part(token, "gap", begins=True, clean=True)]  # the mark of a list
    if after.kind in WORDY and after.text.casefold() not in DETERMINERS:
        dash = token.text in "–—" and token.spaced
        return [_part(token, "gap", ends=dash, begins=dash)]
    return [_part(token, "sign", text)]


def _read_open(previous: Token, token: Token, after: Token, found: list[Item]) -> list[Item]:
    """A bracket that touches a number multiplies it, one that touches a word may be a function's."""
    bracket = _part(token, "open", "(", tight=not token.spaced)
    if previous.kind == "word" and not token.spaced:
        return [_gap([token]), bracket]
    if found[-1].kind == "number" and token.spaced:
        return [Item("gap", token.start, token.start, ends=True), bracket]
    return [bracket]


def _read_close(previous: Token, token: Token, after: Token, found: list[Item]) -> list[Item]:
    return [_part(token, "close", ")")]


def _read_equals(previous: Token, token: Token, after: Token, found: list[Item]) -> list[Item]:
    return [_part(token, "equals")]


READERS = {
    "stop": _read_stop,
    "number": _read_number,
    "power": _read_power,
    "percent": _read_percent,
    "money": _read_money,
    "cross": _read_cross,
    "sign": _read_sign,
    "open": _read_open,
    "close": _read_close,
    "equals": _read_equals,
}
