"""Full-text search with one meaning on both databases: we cut the words, the database only finds them again.

A word is a run of letters, digits and underscores, without case. A trace is found when it holds every word asked for;
the last one may be the beginning of a longer word.
"""

import re
import unicodedata
from collections.abc import Iterable

MAX_WORD = 40  # characters; a longer run is several words, here as in a search
MAX_WORDS = 6_000  # different words of a very long trace; at 40 characters each they still fit a tsvector of 1 MB
LONG_TEXT = 100_000  # characters, from which on words are counted
MAX_ASKED = 20  # words of one search


def words_of(texts: Iterable[str]) -> str:
    """The words of some texts, with spaces between: at once a tsvector and a text for SQLite's FTS5.

    Both drop what is there twice faster than we could. Of a very long text only the first words are kept.
    """
    text = _apart("\n".join(texts))
    if len(text) <= LONG_TEXT and not LONG_WORD.search(text):
        return text
    return " ".join(list(_distinct(text))[:MAX_WORDS])


def words_asked(search: str) -> list[str]:
    """The words of a search in their order; none when it holds nothing that could be found."""
    return list(_distinct(_apart(search)))[:MAX_ASKED]


def to_tsquery(words: list[str]) -> str:
    """For PostgreSQL. Words hold no quotes, so quoting them is safe."""
    return " & ".join(f"'{word}'" for word in words) + ":*"


def to_fts5(words: list[str]) -> str:
    return " AND ".join(f'"{word}"' for word in words) + "*"


def _apart(text: str) -> str:
    """The text without case, everything but its words turned into spaces."""
    if text.isascii():
        text = text.lower()
    else:
        text = unicodedata.normalize("NFKC", text).casefold()
        for char in set(STRANGE_SIGN.findall(text)):
            text = text.replace(char, " ")
    return " " + text.encode().translate(PLAIN_SIGNS).decode()


def _distinct(text: str) -> dict[str, None]:
    return dict.fromkeys(WORD.findall(text))


WORD = re.compile(rf"[^ ]{{1,{MAX_WORD}}}")
LONG_WORD = re.compile(rf" [^ ]{{{MAX_WORD}}}[^ ]")
STRANGE_SIGN = re.compile(r"[^\w\x00-\x7f]")
PLAIN_SIGNS = bytes(ord(" ") if byte < 128 and not re.match(r"\w", chr(byte)) else byte for byte in range(256))
