"""When two answers are the same but for their dress, without regard to what was asked: exact, in linear time.

The firewall, the gates and the scorers tell answers apart so; the judge of answers goes further (`answers.py`).
"""

import re
import unicodedata
from fractions import Fraction

from training.unicode import nfkc

MAX_NUMBER = 64  # characters; a longer number is compared as text

NUMBER = re.compile(
    r"\$?([+-]?)\$?"  # $-5 and -$5 alike
    r"([0-9]+/0*[1-9][0-9]*"  # 3/4
    r"|(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?(?:e[+-]?[0-9]{1,2})?"  # 1,234.50 and 2e3
    r"|\.[0-9]+)"
    r"\s?%?",
    re.IGNORECASE,
)
QUOTES = "\"'`“”‘’«»*_()"  # and what else people put around a word
PUNCTUATION = ".,;:!?"


def same_answer(answer: str, expected: str) -> bool:
    """True when both are the same number, or, if neither is a number, the same text but for its dress."""
    ours, theirs = number(answer), number(expected)
    return normalise(answer) == normalise(expected) if ours is None and theirs is None else ours == theirs


def number(text: str) -> Fraction | None:
    """The exact value of an integer, decimal or simple fraction; `$`, `%` and thousands commas are dress.

    None for everything else, superscripts and `1½` included: NFKC would turn those into other numbers.
    """
    text = text.strip()
    if len(text) > MAX_NUMBER or any(unicodedata.category(char) == "No" for char in text):
        return None
    plain = unicodedata.normalize("NFKC", text).replace("−", "-").strip(QUOTES).rstrip(".,;:").strip(QUOTES)
    match = NUMBER.fullmatch(plain)
    return Fraction(match[1] + match[2].replace(",", "")) if match else None


def normalise(text: str) -> str:
    """`text` in NFKC, without case, extra spaces, surrounding quotes and closing punctuation."""
    plain = " ".join(nfkc(text).casefold().split())
    return plain.strip(QUOTES).rstrip(PUNCTUATION + QUOTES).strip() or plain
