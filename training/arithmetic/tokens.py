"""A text as the tokens that sums are written with. One pass, one regular expression, linear time."""

import re
import unicodedata
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

MAX_DIGITS = 30  # characters of one number; a longer one is not read

NUMBER = re.compile(
    r"(?:US|[$€£¥₹\\ ])*((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?)((?:\.[0-9]+)?)"  # $1,234.50
    r"(?:[ ]([0-9]+)/([0-9]+)|[ ]?([¼-¾⅐-⅞]))?"  # 1 1/2, 1½
)
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
SIGNS = dict.fromkeys(("×", "·", "⋅", "∙", "\\times", "\\cdot"), "*")
SIGNS |= dict.fromkeys(("÷", "∕", "⁄", "\\div"), "/")
SIGNS |= dict.fromkeys(("−", "–", "—", "‐", "‑"), "-")
SIGNS |= {"[": "(", "]": ")", "\\left(": "(", "\\right)": ")", "**": "^"}

TOKEN = re.compile(
    r"""
    (?P<stop> \n | <<+ | >>+ | -{1,8}> | => | [→⇒➔•|;?"“”‘’'`…] | \\[()\[\]] | \${2}
      | (?<=[^\W\d]): | [.,:!]{1,8}(?=\s|$|["”’'*<)]) )
  | (?P<bad> [<>!:~≈≠≤≥]=+ | =[=~]+ | \\(?!times|cdot|div|left\(|right\)|[$%,])[a-zA-Z]* )
  | (?P<number> (?:(?:\bUS)?\\?[$€£¥₹][ ]?)?
      (?: [0-9]{1,4}[ ][0-9]{1,2}/[0-9]{1,3}(?![0-9.,/]) | (?:[0-9]{1,4}[ ]?)?[¼-¾⅐-⅞] | \.?[0-9](?:[0-9.,:]*[0-9])? ) )
  | (?P<power> [⁰¹²³⁴-⁹]+ )
  | (?P<percent> \\?% )
  | (?P<money> \\?[$€£¥₹¢] )
  | (?P<cross> [xX](?=\s?[$€£(]?\s?\.?[0-9]) )
  | (?P<join> (?<=[0-9])-(?=[^\W\d_]{2}) )
  | (?P<note> \((?:[^\W\d_]|['’,.]|\s(?!-)|-){1,40}\) )
  | (?P<word> [^\W\d_]+(?:['’&-][^\W\d_]+)*(?:[²³]|['’](?=\s))? )
  | (?P<strong> \*\*(?!\s?[0-9(]) | (?<![0-9)\s])\*\* | (?<![0-9)])\s\*\* )
  | (?P<sign> \*\* | // | [-+*/^×·⋅∙÷∕⁄−–—‐‑] | \\(?:times|cdot|div)(?![a-z]) )
  | (?P<open> [(\[] | \\left\( )
  | (?P<close> [)\]] | \\right\) )
  | (?P<equals> = )
  | (?P<blank> (?:(?!\n)[\s​] | \\, )+ )
  | (?P<bad_character> . )
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """`kind` is a group of TOKEN; `spaced` tells whether a blank, or the start of a line, stands before it."""

    kind: str
    text: str
    start: int
    end: int
    spaced: bool


class Number(NamedTuple):
    """A number as written: `decimals` is how many digits it shows after the point, None if that tells nothing."""

    value: Fraction
    decimals: int | None


def read_tokens(text: str) -> Iterator[Token]:
    """The tokens of `text`. Blanks, and the stars that make print bold, are left out."""
    spaced = True
    for match in TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind not in ("blank", "strong"):
            yield Token(kind, match[0], match.start(), match.end(), spaced)
        spaced = kind == "blank" or match[0] == "\n" or (spaced and kind == "strong")


def read_number(text: str) -> Number | None:
    """The value of a number token; None for what only looks like one: a time, a date, a code."""
    return _read_number(text) if len(text) <= MAX_DIGITS else None


@lru_cache(maxsize=4096)
def _read_number(text: str) -> Number | None:
    """A solution names the same few numbers again and again."""
    match = NUMBER.fullmatch(text)
    if not match:
        return None
    whole, decimals, above, below, vulgar = match.groups("")
    if len(whole) > 1 and whole.startswith("0"):
        return None
    value = Fraction(whole.replace(",", "") + decimals or 0)
    if vulgar:
        return Number(value + Fraction(unicodedata.numeric(vulgar)).limit_denominator(10), None)
    if below:
        return Number(value + Fraction(int(above), int(below)), None) if 0 < int(above) < int(below) else None
    return Number(value, max(len(decimals) - 1, 0))


def read_power(text: str) -> Number | None:
    """The value of superscript digits."""
    return read_number(text.translate(SUPERSCRIPTS))
