"""What a file would become, before anything is stored."""

from dataclasses import dataclass, field
from typing import BinaryIO

from django.conf import settings

from training.errors import Fault, Invalid
from training.formats import FORMATS, TraceReader, find_format
from training.row_files import Row, open_rows

PREVIEW_ROWS = 200
PREVIEW_CHARACTERS = 1024**2
SHOWN_TRACES = 5
SHOWN_FAULTS = 20


@dataclass
class Preview:
    """The first rows of a file as they would be imported."""

    format: str = ""  # as found or asked for; "" when no row is of a known one
    traces: list[dict] = field(default_factory=list)  # the first good rows, as payloads
    faults: list[Fault] = field(default_factory=list)  # the first of the bad rows
    read: int = 0
    bad: int = 0
    whole: bool = False  # whether these were all rows of the file

    @property
    def mapping(self) -> tuple[tuple[str, str], ...]:
        """Which column becomes which part of a trace."""
        return FORMATS[self.format].mapping if self.format else ()

    @property
    def good(self) -> int:
        return self.read - self.bad

    def to_dict(self) -> dict:
        return {
            "format": self.format or None,
            "mapping": [{"column": column, "becomes": part} for column, part in self.mapping],
            "rows_read": self.read,
            "whole_file": self.whole,
            "good_count": self.good,
            "bad_count": self.bad,
            "traces": self.traces,
            "errors": [fault.to_dict() for fault in self.faults],
        }


def preview(*, file: BinaryIO, file_name: str, format: str = "auto", source: str = "") -> Preview:
    """Reads the first rows of a file as an import would, and stores nothing.

    `file` is open at its start and can seek. Raises Invalid for a format that does not exist.
    """
    if format != "auto":
        find_format(format)
    rows = open_rows(file, file_name, max_row_bytes=settings.TRACE_MAX_BYTES)
    reader = TraceReader(rows, format=format, source=source or file_name)
    found, characters = Preview(), 0
    for _, result in reader:
        if found.read == PREVIEW_ROWS or characters > PREVIEW_CHARACTERS:
            break  # there is a further row
        found.read += 1
        characters += _length(reader.row)
        if isinstance(result, Invalid):
            found.bad += 1
            found.faults += result.faults[: SHOWN_FAULTS - len(found.faults)]
        elif len(found.traces) < SHOWN_TRACES:
            found.traces.append(result)
    else:
        found.whole = True
    found.format = reader.format or ""
    return found


def _length(row: Row | None) -> int:
    if row is None:
        return 0
    return len(row.text) if isinstance(row.value, Invalid) else len(str(row.value))
