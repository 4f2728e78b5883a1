"""Parquet files as rows, a few at a time."""

import io
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from training.errors import Fault, Invalid
from training.json_rules import MAX_FAULTS, Loc, is_sound, value_faults
from training.strict_json import located
from training.unpacking import FREE_BYTES, MAX_BYTES, MAX_RATIO

BATCH_ROWS = 64
BATCH_BYTES = 256 * 1024**2  # that a batch may become if every row repeats the longest value there can be
BUFFER_BYTES = 1024**2  # of a column that are read at a time
BROKEN = (pa.ArrowException, OSError, ValueError, KeyError, IndexError)  # what pyarrow raises on files that are none

Item = tuple[int, Loc, object | Invalid, str]


class ParquetRows:
    """The rows of one Parquet file: number (from 1), start of its faults' `loc`, object, and its text where it is none.

    A column that is null in a row is not in its object. A file that is broken, or would unpack to more than the
    bounds of `training.unpacking`, is one Invalid in the place of a row. `done` of `total` rows have been read.
    """

    def __init__(self, stream: BinaryIO, *, max_row_bytes: int):
        self.done, self.total = 0, 0
        self._max_row_bytes = max_row_bytes
        self._opened: pq.ParquetFile | Invalid = _open(stream)
        if not isinstance(self._opened, Invalid):
            self.total = self._opened.metadata.num_rows

    def __iter__(self) -> Iterator[Item]:
        if isinstance(self._opened, Invalid):
            yield 1, (), located(self._opened, 1), ""
            return
        for row in _objects(self._opened):
            self.done += 1
            fault = row if isinstance(row, Invalid) else self._fault(row)
            if fault:
                text = "" if row is fault else json.dumps(row, default=str, ensure_ascii=False)[: self._max_row_bytes]
                yield self.done, (), located(fault, self.done), text
            else:
                yield self.done, (), row, ""
        if not self.done:
            yield 1, (), Invalid(Fault((), "the file holds no data", "empty_file", line=1)), ""

    def _fault(self, row: dict) -> Invalid | None:
        if not is_sound(row):
            return Invalid(islice(value_faults(row), MAX_FAULTS))
        if len(msgspec.json.encode(row)) > self._max_row_bytes:
            return Invalid(Fault((), f"is larger than {self._max_row_bytes} bytes", "line_too_long"))
        return None


def _open(stream: BinaryIO) -> pq.ParquetFile | Invalid:
    packed = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    if not packed:
        return Invalid(Fault((), "the file holds no data", "empty_file"))
    try:
        file = pq.ParquetFile(stream, pre_buffer=False, buffer_size=BUFFER_BYTES, page_checksum_verification=True)
        unpacked = sum(file.metadata.row_group(group).total_byte_size for group in range(file.num_row_groups))
    except BROKEN as error:
        return _broken(error)
    if unpacked > min(MAX_BYTES, max(FREE_BYTES, MAX_RATIO * packed)):
        message = f"unpacks to {unpacked:,} bytes; at most {MAX_BYTES:,}, and {MAX_RATIO} times its size, are read"
        return Invalid(Fault((), message, "too_large"))
    return file


def _objects(file: pq.ParquetFile) -> Iterator[dict | Invalid]:
    try:
        for batch in file.iter_batches(batch_size=_batch_rows(file.metadata), use_threads=False):
            yield from _pythonic(batch)
    except BROKEN as error:
        yield _broken(error)


def _batch_rows(metadata: pq.FileMetaData) -> int:
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    sizes = (group.column(index).total_uncompressed_size for group in groups for index in range(group.num_columns))
    return max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, *sizes, 1)))


def _pythonic(batch: pa.RecordBatch) -> list[dict[str, Any] | Invalid]:
    try:
        rows = batch.to_pylist(maps_as_pydicts="strict")
    except (UnicodeDecodeError, ValueError, KeyError) as error:
        if batch.num_rows == 1:
            return [_unreadable(error)]
        return [row for index in range(batch.num_rows) for row in _pythonic(batch.slice(index, 1))]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _unreadable(error: Exception) -> Invalid:
    if isinstance(error, UnicodeDecodeError):
        return Invalid(Fault((), "holds a text that is not UTF-8; save it as UTF-8", "encoding"))
    return Invalid(Fault((), f"holds a value that cannot be read ({error}); leave its column out", "wrong_type"))


def _broken(error: Exception) -> Invalid:
    message = f"is no sound Parquet file, whatever its name says ({error}); write it again"
    return Invalid(Fault((), " ".join(message.split())[:300], "compressed"))
