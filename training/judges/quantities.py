"""Numbers as people write them: 1,200 · 1 200 · 1.2 × 10³ · 3/4 · 1 1/2 · 50 % · $5 · 5 km · twelve · 5 million."""

import re
from collections.abc import Collection
from fractions import Fraction
from typing import NamedTuple

from training.judges.units import MAX_WORDS, UNITS, read_unit

MAX_LENGTH = 200  # characters of what holds a number
MAX_NOUNS = 3  # words for what an expected number counts; with more, or with capitals, it is a text
PERCENT = "%"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NAMED = {
    word: number
    for numbers, words in (
        (range(10), "zero one two three four five six seven eight nine"),
        (range(10, 20), "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"),
        (range(20, 100, 10), "twenty thirty forty fifty sixty seventy eighty ninety"),
    )
    for number, word in zip(numbers, words.split(), strict=True)
}
SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
# One of these makes of the number beside it another one, or none that is sure.
DOUBTS = _words(
    "not no never isn't neither nor or and but about around approximately approx roughly nearly almost circa some less "
    "more fewer than least most over under above below up between minus plus times by of squared cubed factorial half "
    "halves third thirds quarter quarters fourth fourths fifth fifths tenth tenths hundredth hundredths dozen dozens "
    "pair pairs double twice triple negative maybe perhaps either other except without point"
) | {*NAMED, *SCALES, *(f"{scale}s" for scale in SCALES)}
# What a sentence around a number may consist of, beside the words of the question.
SAYING = _words(
    "the a an so thus therefore hence then answer result total sum value final correct is are was were has have had it "
    "there he she they we you i that this makes gives leaves equals costs will be in all altogether left now exactly"
)

GROUPED = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?: [0-9]{3})+|[0-9]{1,3}(?:'[0-9]{3})+|[0-9]+"
TEN = r"10 ?(?:\^|\*\*) ?\(?[+-]?[0-9]{1,3}\)?"
NUMBER = re.compile(
    r"(?P<sign>(?:[+-] ?)?)(?P<currency>(?:[$€£¥¢] ?)?)(?P<inner>(?:[+-] ?)?)"
    r"(?:(?P<whole>[0-9]{1,15}) (?:and )?(?P<part>[0-9]{1,15} ?/ ?[0-9]{1,15})"
    r"|(?P<fraction>[0-9]+ ?/ ?[0-9]+)"
    rf"|(?P<power>{TEN})"
    rf"|(?P<real>(?:{GROUPED})(?:\.[0-9]*)?|\.[0-9]+)(?P<exponent>e[+-]?[0-9]{{1,3}}| ?[*x] ?{TEN})?"
    rf"|(?P<word>{'|'.join(NAMED)})\b)"
    r"(?![0-9])",
    re.IGNORECASE,
)
FIRST = re.compile(rf"(?:[+-] ?)?[$€£¥¢]?[+-]?\.?[0-9]|\b(?:{'|'.join(NAMED)})\b", re.IGNORECASE)
NEGATIVE = re.compile(r"\b(?:minus|negative) (?=[0-9.])", re.IGNORECASE)
NAME = re.compile(r"(?:[A-Za-z] ?)?= ?")  # x = 5
LETTERS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


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


def read_quantity(text: str, question: Collection[str] = (), *, trusted: bool = False) -> Quantity | None:
    """The one number that a plain text gives, or None: what cannot be read with certainty is no number.

    Words around it are a sentence that says so (`SAYING`, and the words of the `question`), or a unit. A `trusted` text
    begins with its number, and the few words behind it are what is counted, whatever they are.
    """
    if not _ends_in_factorial(text):
        text = text.strip().rstrip(".,;:!?")
    text = NAME.sub("", text, count=1).strip("*_\"'`“” ")
    if len(text) > MAX_LENGTH:
        return None
    text = NEGATIVE.sub("-", _without_brackets(text, trusted=trusted), count=1)
    if not (first := FIRST.search(text)) or (first.start() and trusted) or not _says(text[: first.start()], question):
        return None
    match = NUMBER.match(text, first.start())
    value = _value(match) if match else None
    if match is None or value is None or (first.start() and " " in match["sign"]):
        return None
    return _with_unit(match, value, text[match.end() :], question, trusted)


def words_of(text: str) -> frozenset[str]:
    """The words of a question that an answer may repeat around its number."""
    return frozenset(word.casefold() for word in LETTERS.findall(text)) - DOUBTS


def _says(words: str, question: Collection[str]) -> bool:
    """Whether the words before a number leave it what it is. A sign behind a letter is of a sum: `a + 5`."""
    if words and words[-1] not in " :=":
        return False
    found = words.casefold().replace(":", " ").replace(",", " ").replace("=", " ").split()
    return all(word in SAYING or (word in question and word not in DOUBTS) for word in found)


def _value(match: re.Match[str]) -> Fraction | None:
    if match["sign"].strip() and match["inner"].strip():
        return None
    size = _size(match)
    return -size if size is not None and "-" in (match["sign"] + match["inner"]) else size


def _size(match: re.Match[str]) -> Fraction | None:
    if match["word"]:
        return Fraction(NAMED[match["word"].casefold()])
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
    match: re.Match[str], value: Fraction, rest: str, question: Collection[str], trusted: bool
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


def _unit(rest: str, question: Collection[str], trusted: bool) -> str | None:
    """The unit behind a number, "" for words that only say what is counted, None for what makes the number doubtful."""
    if not rest.strip():
        return ""
    words = rest.strip().replace(",", " ").split()
    if rest[0].isdigit() or rest[0] in "./,^*" or (rest[0].isalpha() and not read_unit(words[0])):
        return None
    if words[0] in (PERCENT, "percent") or words[:2] == ["per", "cent"]:
        unit, others = PERCENT, words[2 if words[0] == "per" else 1 :]
    else:
        length = next((n for n in range(min(len(words), MAX_WORDS), 0, -1) if read_unit(" ".join(words[:n]))), 0)
        unit, others = read_unit(" ".join(words[:length])) or "", words[length:]
    folded = [word.casefold() for word in others]
    if any(word in DOUBTS or not LETTERS.fullmatch(word) for word in folded):
        return None
    if trusted:
        return unit if len(others) <= MAX_NOUNS and others == folded else None
    return unit if all(word in SAYING or word in question for word in folded) else None


def _ends_in_factorial(text: str) -> bool:
    return re.search(r"[0-9)]!$", text.strip()) is not None


def _without_brackets(text: str, *, trusted: bool) -> str:
    """What is expected as (1,234) is a pair; who answers a number so has put it into brackets."""
    inner = text[1:-1].strip()
    encloses = text[:1] == "(" and text[-1:] == ")" and "(" not in inner
    return inner if encloses and not (trusted and "," in inner) else text
