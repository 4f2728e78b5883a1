"""Numbers as people write them: 1,200 · 1 200 · 1.2 × 10³ · 3/4 · 1 1/2 · 50 % · $5 · 5 km · twelve · 5 million."""

import re
from fractions import Fraction
from typing import NamedTuple

from training.judges.units import PERCENT, UNITS, split_unit
from training.judges.words import DOUBTS, NAMED, ONES, PARTS, SCALES, TENS, WORD, leaves_as_it_is

MAX_LENGTH = 200  # characters of what holds a number
MAX_NOUNS = 3  # words for what an expected number counts; with more, or with capitals, it is a text


GROUPED = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?: [0-9]{3})+|[0-9]{1,3}(?:'[0-9]{3})+|[0-9]+"
TEN = r"10 ?(?:\^|\*\*) ?\(?[+-]?[0-9]{1,3}\)?"
NUMBER = re.compile(
    r"(?P<sign>(?:[+-] ?)?)(?P<currency>(?:[$€£¥¢] ?)?)(?P<inner>(?:[+-] ?)?)"
    r"(?:(?P<whole>[0-9]{1,15}) (?:and )?(?P<part>[0-9]{1,15} ?/ ?[0-9]{1,15})"
    r"|(?P<fraction>[0-9]+ ?/ ?[0-9]+)"
    rf"|(?P<power>{TEN})"
    rf"|(?P<real>(?:{GROUPED})(?:\.[0-9]*)?|\.[0-9]+)(?P<exponent>e[+-]?[0-9]{{1,3}}| ?[*x] ?{TEN})?"
    rf"|(?P<word>(?:{'|'.join(TENS)})[- ](?:{'|'.join(ONES)})\b|(?:{'|'.join(NAMED)})\b))"
    r"(?![0-9])",
    re.IGNORECASE,
)
FIRST = re.compile(rf"(?:[+-] ?)?[$€£¥¢]?[+-]?\.?[0-9]|\b(?:{'|'.join(NAMED)})\b", re.IGNORECASE)
NEGATIVE = re.compile(r"\b(?:minus|negative) (?=[0-9.])", re.IGNORECASE)
NAME = re.compile(r"(?:[A-Za-z] ?)?= ?")  # x = 5
IN_PARTS = re.compile(rf"\b({'|'.join(ONES)})[- ]({'|'.join(PARTS)})\b", re.IGNORECASE)  # two thirds
ARTICLE = re.compile(rf"\ban? (?=(?:{'|'.join(SCALES)})\b)", re.IGNORECASE)  # a million


class Quantity(NamedTuple):
    """A number with what it counts. `written` is "" where only the value matters, else how it is written.

    Of 50 % the value is 50 and the unit %. `unit` is "" where none is named.
    """

    value: Fraction
    unit: str
    written: str
    numeral: str  # the text of the number

    @property
    def is_ratio(self) -> bool:
        """Whether it is written as a part of one, which a percentage may be."""
        return not self.unit and any(sign in self.numeral for sign in "./")


def read_quantity(text: str, question: frozenset[str] = frozenset(), *, trusted: bool = False) -> Quantity | None:
    """The one number that a plain text gives, or None: what cannot be read with certainty is no number.

    Words around it are a sentence that says so (`SAYING`, and the words of the `question`), or a unit. A `trusted` text
    begins with its number, and the few words behind it are what is counted, whatever they are.
    """
    if not _ends_in_factorial(text):
        text = text.strip().rstrip(".,;:!?")
    text = NAME.sub("", text, count=1).strip("*_\"'`“” ")
    if len(text) > MAX_LENGTH:
        return None
    text = ARTICLE.sub("1 ", IN_PARTS.sub(_in_figures, _without_brackets(text, trusted=trusted)))
    text = NEGATIVE.sub("-", text, count=1)
    if not (first := FIRST.search(text)) or (first.start() and trusted) or not _says(text[: first.start()], question):
        return None
    match = NUMBER.match(text, first.start())
    value = _value(match) if match else None
    if match is None or value is None or (first.start() and " " in match["sign"]):
        return None
    return _with_unit(match, value, text[match.end() :], question, trusted)


def _in_figures(match: re.Match[str]) -> str:
    return f"{ONES[match[1].casefold()]}/{PARTS[match[2].casefold()]}"


def _says(words: str, question: frozenset[str]) -> bool:
    """Whether the words before a number leave it what it is. A sign behind a letter is of a sum: `a + 5`."""
    return (not words or words[-1] in " :=") and leaves_as_it_is(words, question)


def _value(match: re.Match[str]) -> Fraction | None:
    if match["sign"].strip() and match["inner"].strip():
        return None
    size = _size(match)
    return -size if size is not None and "-" in (match["sign"] + match["inner"]) else size


def _size(match: re.Match[str]) -> Fraction | None:
    if match["word"]:
        return Fraction(sum(NAMED[word] for word in re.split("[- ]", match["word"].casefold())))
    if match["power"]:
        return Fraction(10) ** _exponent(match["power"])
    if match["real"]:
        real = Fraction(re.sub("[, ']", "", match["real"]).removesuffix("."))
        return real * Fraction(10) ** _exponent(match["exponent"]) if match["exponent"] else real
    above, below = (int(number) for number in (match["part"] or match["fraction"]).split("/"))
    if below == 0 or (match["part"] and above >= below):  # 1 2/2 is no way to write two
        return None
    return int(match["whole"] or 0) + Fraction(above, below)


def _exponent(text: str) -> int:
    """Of `e-3` and of ` * 10^(-3)`."""
    return int(re.split(r"e|\^|\*\*", text, flags=re.IGNORECASE)[-1].strip(" ()"))


def _with_unit(
    match: re.Match[str], value: Fraction, rest: str, question: frozenset[str], trusted: bool
) -> Quantity | None:
    scale, rest = _scale(rest)
    currency = UNITS.get(match["currency"].strip(), "")
    unit = _unit(rest, question, trusted)
    if unit is None or (currency and unit and unit != currency):
        return None
    form = next((name for name in ("part", "fraction", "power", "exponent") if match[name]), "")
    numeral = re.sub(" ?([/^*]) ?", r"\1", match[0][match[0].index(match[0].lstrip(" $€£¥¢+-")[0]) :])
    written = numeral if form else ""
    if unit == PERCENT:
        numeral = written = f"{numeral}%"
    return Quantity(value * scale, unit or currency, written, numeral)


def _scale(rest: str) -> tuple[int, str]:
    """What `million` behind a number makes of it."""
    first, _, others = rest.strip().partition(" ")
    scale = SCALES.get(first.casefold(), 1)
    return (scale, others) if scale > 1 else (1, rest)


def _unit(rest: str, question: frozenset[str], trusted: bool) -> str | None:
    """The unit behind a number, "" for words that only say what is counted, None for what makes the number doubtful."""
    if not rest.strip():
        return ""
    unit, others = split_unit(rest.strip())
    attached = rest[0].isalpha() and not unit
    if attached or rest[0].isdigit() or rest[0] in "./,^*":
        return None
    if trusted:
        nouns = others.split()
        are_nouns = all(WORD.fullmatch(noun) and noun.islower() and noun not in DOUBTS for noun in nouns)
        return unit if are_nouns and len(nouns) <= MAX_NOUNS else None
    return unit if leaves_as_it_is(others, question) else None


def _ends_in_factorial(text: str) -> bool:
    return re.search(r"[0-9)]!$", text.strip()) is not None


def _without_brackets(text: str, *, trusted: bool) -> str:
    """What is expected as (1,234) is a pair; who answers a number so has put it into brackets."""
    inner = text[1:-1].strip()
    encloses = text[:1] == "(" and text[-1:] == ")" and "(" not in inner
    return inner if encloses and not (trusted and "," in inner) else text
