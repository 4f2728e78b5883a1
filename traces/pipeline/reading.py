"""A file as chunks of rows that are ready for the database."""

import json
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, NamedTuple, TextIO

from django.conf import settings

from traces.models import Import
from traces.pipeline.pace import Pace
from traces.rows import CANONICAL, row_of, tags_in
from training.errors import Fault, Invalid
from training.formats import TraceReader
from training.row_files import open_rows
from tunixrt.lib.ids import uuid7

CHUNK_CHARACTERS = 2 * 1024**2
MAX_FAULTS = 50


class Chunk(NamedTuple):
    """Rows in the order of COLUMNS, their tags as (trace's id, name), and how far the file was read with them."""

    rows: list[tuple]
    tags: list[tuple]
    read: int
    done: int


class Reading:
    """One reading of an import's file. Refused rows go to `rejected`, and their first faults are kept."""

    def __init__(self, row: Import, stream: BinaryIO, rejected: TextIO, pace: Pace):
        self._row, self._rejected, self._pace = row, rejected, pace
        self._file = open_rows(stream, row.file_name, max_row_bytes=settings.TRACE_MAX_BYTES)
        self._reader = TraceReader(self._file, format=row.format, source=row.source)
        self.total = self._file.total
        self.read = self.bad = 0
        self.faults: list[Fault] = []

    @property
    def format(self) -> str:
        return self._reader.format or self._row.format

    def chunks(self) -> Generator[Chunk]:
        """All good rows, to the end or to the point where more faults would help nobody."""
        chunk, characters = self._begin(), 0
        for line, result in self._reader:
            self.read += 1
            if isinstance(result, Invalid):
                self._refuse(line, result)
                if not self._row.skip_bad and len(self.faults) >= MAX_FAULTS:
                    break
            elif self._row.skip_bad or not self.bad:
                characters += self._add(chunk, result)
            if self.read - chunk.read >= self._pace.rows or characters > CHUNK_CHARACTERS:
                yield self._end(chunk)
                chunk, characters = self._begin(), 0
        yield self._end(chunk)

    def _begin(self) -> Chunk:
        return Chunk([], [], self.read, self._file.done)

    def _end(self, chunk: Chunk) -> Chunk:
        return chunk._replace(read=self.read, done=self._file.done)

    def _add(self, chunk: Chunk, payload: dict) -> int:
        key, owner = uuid7(), self._row
        row = row_of(
            payload,
            id=key,
            created_at=owner.created_at,
            created_by=owner.created_by_id,
            imported_by=owner.pk,
        )
        chunk.rows.append(row)
        chunk.tags.extend((key, name) for name in tags_in(payload["meta"]))
        return len(row[CANONICAL])

    def _refuse(self, line: int, invalid: Invalid) -> None:
        self.bad += 1
        self.faults += invalid.faults[: MAX_FAULTS - len(self.faults)]
        row = self._reader.row
        entry = {
            "line": line,
            "errors": [fault.to_dict() for fault in invalid.faults],
            "row": row.text if isinstance(row.value, Invalid) else row.value,  # type: ignore[union-attr]
        }
        self._rejected.write(json.dumps(entry) + "\n")


def ahead(chunks: Iterator[Chunk]) -> Generator[Chunk]:
    """The same chunks, the next being read by a thread while one is stored."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, chunks, None)
        while chunk := coming.result():
            coming = reader.submit(next, chunks, None)
            yield chunk
