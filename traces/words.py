"""Full-text search with one meaning on both databases: we cut the words, the database only finds them again.

A word is a run of letters, digits and underscores, without case. A trace is found when it holds every word asked for;
the last one may be the beginning of a longer word.
"""

import re
import unicodedata
from collections.abc import Iterable

WORD = re.compile(r"\w{1,40}")  # a longer run is several words, here as in a search
MAX_WORDS = 6_000  # different words of one trace; at 40 characters each they still fit PostgreSQL's tsvector of 1 MB
MAX_ASKED = 20  # words of one search


def words_of(texts: Iterable[str]) -> str:
    """The different words of some texts, with a space between: at once a tsvector and a text for SQLite's FTS5."""
    return " ".join(_distinct("\n".join(texts))[:MAX_WORDS])


def words_asked(search: str) -> list[str]:
    """The words of a search in their order; none when it holds nothing that could be found."""
    return _distinct(search)[:MAX_ASKED]


def to_tsquery(words: list[str]) -> str:
    """For PostgreSQL. Words hold no quotes, so quoting them is safe."""
    return " & ".join(f"'{word}'" for word in words) + ":*"


def to_fts5(words: list[str]) -> str:
    return " AND ".join(f'"{word}"' for word in words) + "*"


def _distinct(text: str) -> list[str]:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return list(dict.fromkeys(WORD.findall(text.casefold())))
