"""The texts of a chunk of rows, laid out so that searches run at the speed of C."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any

import msgspec
import numpy as np

LONG_RUN = 20  # bytes
Row = Mapping[str, Any]  # as in `dataset.jsonl`: id, split, prompt, steps, final_answer, meta


class Texts:
    """What is written in a chunk of rows.

    `taught` has for each row its prompt, steps and answer in one text. `whole` is all of that with the metas, in
    UTF-8; positions in it lead back to rows by `row_at`.
    """

    def __init__(self, rows: Sequence[Row]):
        self._rows = rows
        self.taught = [
            "\n".join([row["prompt"], *[step["content"] for step in row["steps"]], row["final_answer"]]) for row in rows
        ]

    @cached_property
    def whole(self) -> bytes:
        return b"".join(self._encoded)

    def row_at(self, position: int) -> int:
        """The index of the row that holds this position of `whole`."""
        return bisect_right(self._ends, position)

    @cached_property
    def _encoded(self) -> list[bytes]:
        return [
            b"%b\n%b\n" % (text.encode(errors="replace"), msgspec.json.encode(row["meta"]) if row["meta"] else b"")
            for text, row in zip(self.taught, self._rows, strict=True)
        ]

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(map(len, self._encoded)))


def occurrences(needle: bytes, text: bytes) -> Iterator[int]:
    """Where `needle` stands in `text`, none of them overlapping."""
    position = text.find(needle)
    while position >= 0:
        yield position
        position = text.find(needle, position + len(needle))


def runs(members: bytes, text: bytes) -> Iterator[tuple[int, int]]:
    """Where at least LONG_RUN bytes in a row are `members`: start and end of each such run."""
    marked = text.translate(bytes(ord("x") if byte in members else ord(" ") for byte in range(256)))
    # So long a run holds four words of four bytes in a row: numpy looks at a quarter of the places.
    words = np.frombuffer(marked[: len(marked) // 4 * 4], np.uint32) == int.from_bytes(b"xxxx")
    end = 0
    for word in np.flatnonzero(words[:-3] & words[1:-2] & words[2:-1] & words[3:]).tolist():
        if word * 4 >= end:
            start, end = marked.rfind(b" ", 0, word * 4) + 1, marked.find(b" ", word * 4)
            end = len(text) if end < 0 else end
            if end - start >= LONG_RUN:
                yield start, end
