"""Rows on their way into a dataset: whole but for their split, which only all of them together decide."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

import msgspec


class Content(msgspec.Struct):
    """A trace's canonical text taken apart without being read: each part is a slice of its bytes."""

    final_answer: msgspec.Raw
    meta: msgspec.Raw
    prompt: msgspec.Raw
    steps: msgspec.Raw


read_content = msgspec.json.Decoder(Content).decode
read_text = msgspec.json.Decoder(str).decode


class Spool:
    """A file of rows in manifest order. Its lines, once every row has its split, are those of `dataset.jsonl`.

    The parts of a canonical text are canonical, so a row is put together from them as they are: a test compares the
    bytes with what the standard library would write. In memory a row takes twenty bytes.
    """

    def __init__(self, path: Path):
        self.path = path
        self._file = path.open("w+b")
        self._ends = array("Q")  # of each row in the file
        self._prompts = array("I")  # where a row's prompt begins
        self._splits = array("I")  # where a row's split belongs; the prompt ends there

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, trace_id: UUID, content: Content) -> None:
        """Appends the row of a trace."""
        head = b'{"final_answer":%b,"id":"%b","meta":%b,"prompt":' % (
            content.final_answer,
            str(trace_id).encode(),
            content.meta,
        )
        before = b'%b%b,"split":"' % (head, content.prompt)
        row = b'%b","steps":%b}\n' % (before, content.steps)
        self._prompts.append(len(head))
        self._splits.append(len(before))
        self._ends.append((self._ends[-1] if self._ends else 0) + len(row))
        self._file.write(row)

    def lines(self, splits: Iterable[str]) -> Iterator[bytes]:
        """Each row with its split, as the canonical line that a dataset's hash is made of."""
        self._file.seek(0)
        start = 0
        for end, place, split in zip(self._ends, self._splits, splits, strict=True):
            row = self._file.read(end - start)
            yield b"%b%b%b" % (row[:place], split.encode(), row[place:])
            start = end

    def prompts(self, positions: Sequence[int]) -> list[str]:
        """The prompts of some rows, read again."""
        self._file.flush()
        return [read_text(self._prompt(position)) for position in positions]

    def _prompt(self, position: int) -> bytes:
        self._file.seek((self._ends[position - 1] if position else 0) + self._prompts[position])
        return self._file.read(self._splits[position] - self._prompts[position] - len(b',"split":"'))
