"""Full-text search with one meaning on both databases: we cut the words, the database only finds them again.

A word is a run of letters, digits and underscores, without case. A trace is found when it holds every word asked for;
the last one may be the beginning of a longer word.
"""

import re
from collections.abc import Iterable

from training.unicode import nfkc

MAX_WORD = 40  # characters; a longer run is several words, here as in a search
MAX_WORDS = 6_000  # different words of one trace; at 40 characters each they still fit PostgreSQL's tsvector of 1 MB
MAX_ASKED = 20  # words of one search


def words_of(texts: Iterable[str]) -> str:
    """The different words of some texts, with spaces between: at once a tsvector and a text for SQLite's FTS5."""
    words = _distinct("\n".join(texts))
    return " ".join(words if len(words) <= MAX_WORDS else list(words)[:MAX_WORDS])


def words_asked(search: str) -> list[str]:
    """The words of a search in their order; none when it holds nothing that could be found."""
    return list(_distinct(search))


def to_tsquery(words: list[str]) -> str:
    """For PostgreSQL. Words hold no quotes, so quoting them is safe."""
    return " & ".join(f"'{word}'" for word in words) + ":*"


def to_fts5(words: list[str]) -> str:
    return " AND ".join(f'"{word}"' for word in words) + "*"


def _distinct(text: str) -> dict[str, None]:
    words = dict.fromkeys(_apart(text).split())
    if max(map(len, words), default=0) > MAX_WORD:
        words = dict.fromkeys(piece for word in words for piece in PIECE.findall(word))
    return words


def _apart(text: str) -> str:
    """The text without case, everything but its words turned into spaces."""
    if text.isascii():
        text = text.lower()
    else:
        text = nfkc(text).casefold()
        for char in set(STRANGE_SIGN.findall(text)):
            text = text.replace(char, " ")
    return text.encode().translate(PLAIN_SIGNS).decode()


PIECE = re.compile(f".{{1,{MAX_WORD}}}")
STRANGE_SIGN = re.compile(r"[^\w\x00-\x7f]")
PLAIN_SIGNS = bytes(ord(" ") if byte < 128 and not re.match(r"\w", chr(byte)) else byte for byte in range(256))
