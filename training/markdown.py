"""Markdown that holds other people's text: what they wrote is shown, and never becomes markup."""

import re
import unicodedata
from itertools import zip_longest

MARKUP = re.compile(r"([\\`*_{}\[\]()<>#|~&$@!])")
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode categories
COLUMN_WIDTH = 56  # characters; two columns fit a page of 120


def escape(text: str) -> str:
    """`text` on one line, for a heading, a paragraph or a cell."""
    return MARKUP.sub(r"\\\1", visible(" ".join(text.split())))


def fenced(text: str) -> str:
    """`text` as a block of code, with a fence longer than any run of backticks in it."""
    shown = visible(text)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence}text\n{shown}\n{fence}"


def side_by_side(left: str, right: str) -> str:
    """Two texts as columns of plain text, long lines wrapped at COLUMN_WIDTH."""
    pairs = zip_longest(_wrapped(left), _wrapped(right), fillvalue="")
    return "\n".join(f"{first:<{COLUMN_WIDTH}} │ {second}".rstrip() for first, second in pairs)


def visible(text: str) -> str:
    """`text` with U+FFFD for what acts on a screen instead of showing on it: control codes, reordering, surrogates."""
    return "".join(char if char in "\n\t" or unicodedata.category(char) not in HIDDEN else "\ufffd" for char in text)


def _wrapped(text: str) -> list[str]:
    lines = visible(text.expandtabs(4)).split("\n")
    return [line[at : at + COLUMN_WIDTH] for line in lines for at in range(0, len(line) or 1, COLUMN_WIDTH)]
