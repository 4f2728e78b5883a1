"""One spelling for the several that Unicode has of the same text, in linear time.

Python's own normalisation takes the square of the number of marks that stand on one letter: 50,000 of them in a file
or in an answer would hold up for seconds whoever reads it.
"""

import unicodedata
from functools import lru_cache
from itertools import groupby

SHORT = 1000  # characters, whose square costs nothing


def nfkc(text: str) -> str:
    """What `unicodedata.normalize("NFKC", text)` gives."""
    if len(text) > SHORT and any(map(_is_mark, set(text))):
        runs = groupby(text, _is_mark)
        text = "".join(_in_order("".join(run)) if marks else "".join(run) for marks, run in runs)
    return unicodedata.normalize("NFKC", text)


@lru_cache(maxsize=4096)
def _is_mark(char: str) -> bool:
    """Whether it stands on the letter before it, so that the order among such does not matter or is Unicode's."""
    return unicodedata.combining(unicodedata.normalize("NFKD", char)[0]) != 0


def _in_order(marks: str) -> str:
    """A run of marks in the order in which normalisation puts them, so that it finds nothing left to move."""
    single = "".join(unicodedata.normalize("NFKD", mark) for mark in marks)
    return "".join(sorted(single, key=unicodedata.combining))
