"""Files of rows, whatever they are packed in: the one door through which every row of a file comes."""

import io
from collections.abc import Callable, Iterator
from itertools import starmap
from pathlib import PurePath
from typing import BinaryIO, NamedTuple

from training.errors import Invalid
from training.json_lists import read_items
from training.json_rules import Loc
from training.strict_json import BOM, located, parse_line, read_lines
from training.unpacking import PACKED, unpack

PARQUET = ".parquet"
HEAD_BYTES = 4096


class Row(NamedTuple):
    """One row of a file: the line it starts on (from 1), the start of its faults' `loc`, and what it holds.

    `text` is what the file says there when it could not be read as a value; of a row that is too long, its beginning.
    """

    line: int
    loc: Loc
    value: object | Invalid
    text: str = ""


class RowFile:
    """The rows of one file, in order, once; `done` of `total` tells how far they have been read.

    Both count bytes of the file as it lies on the disk; for Parquet, rows.
    """

    def __init__(self, rows: Iterator[Row], *, done: Callable[[], int], total: int):
        self._rows, self._done, self.total = rows, done, total

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    @property
    def done(self) -> int:
        return self._done()


def open_rows(stream: BinaryIO, file_name: str, *, max_row_bytes: int) -> RowFile:
    """The rows of a file that is open at its start, in bounded memory; the last extension of its name says how to read.

    `.gz` and `.zst` are unpacked, `.parquet` is read as Parquet; all else is one JSON list or JSONL. What cannot be
    read is an Invalid in the place of a row: nothing is raised. The caller closes `stream`, which can seek.
    """
    extension = PurePath(file_name).suffix.lower()
    if extension == PARQUET:
        # Only here, because it takes a while and many megabytes to load.
        from training.parquet_rows import ParquetRows

        table = ParquetRows(stream, max_row_bytes=max_row_bytes)
        return RowFile(starmap(Row, table), done=lambda: table.done, total=table.total)
    total = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    text = unpack(stream, extension) if extension in PACKED else stream
    return RowFile(read_rows(text, max_row_bytes=max_row_bytes), done=stream.tell, total=total)


def read_rows(stream: BinaryIO, *, max_row_bytes: int) -> Iterator[Row]:
    """The rows of a text that is either one JSON list or JSONL; which one, its first character says.

    `stream` can seek or peek. In a list, a fault's `loc` begins with the row's index.
    """
    line = 0
    try:
        read = _read_list if _head(stream).lstrip(b" \t\r\n").startswith(b"[") else _read_jsonl
        for row in read(stream, max_row_bytes):
            line = row.line
            yield row
    except Invalid as invalid:  # what breaks the packing
        yield Row(line + 1, (), located(invalid, line + 1))


def _head(stream: BinaryIO) -> bytes:
    if stream.seekable():
        start = stream.tell()
        head = stream.read(HEAD_BYTES)
        stream.seek(start)
    else:
        head = stream.peek(HEAD_BYTES)  # type: ignore[attr-defined]
    return head.removeprefix(BOM.encode())


def _read_jsonl(stream: BinaryIO, max_row_bytes: int) -> Iterator[Row]:
    for number, line, refusal in read_lines(stream, max_line_bytes=max_row_bytes):
        value = refusal or parse_line(line, number)
        yield Row(number, (), value, line.decode(errors="replace") if isinstance(value, Invalid) else "")


def _read_list(stream: BinaryIO, max_row_bytes: int) -> Iterator[Row]:
    return starmap(Row, read_items(stream, max_item_bytes=max_row_bytes))
