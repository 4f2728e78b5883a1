"""What a file would become, before anything is stored."""

from dataclasses import dataclass, field
from typing import BinaryIO

from django.conf import settings

from training.errors import Fault, Invalid, echo
from training.formats import FORMATS, TraceReader
from training.json_rules import text_faults
from training.row_files import Row, open_rows

PREVIEW_ROWS = 200
PREVIEW_CHARACTERS = 1024**2
SHOWN_TRACES = 5
SHOWN_FAULTS = 20
MAX_FILE_NAME = 200


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

    `file` is open at its start and can seek. Raises Invalid for an option that does not exist.
    """
    check_options(file_name, format, source)
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


def check_options(file_name: str, format: str, source: str) -> None:
    """Raises Invalid for what an import cannot be asked for."""
    faults = []
    if not 0 < len(file_name) <= MAX_FILE_NAME:
        message = f"has a name of {len(file_name)} characters; 1 to {MAX_FILE_NAME} are allowed"
        faults.append(Fault(("file",), message, "bad_name"))
    faults += text_faults(file_name, ("file",))
    if format not in ("auto", *FORMATS):
        message = f"{echo(format)} is not a known format; choose one of auto, {', '.join(FORMATS)}"
        faults.append(Fault(("format",), message, "unknown_format"))
    if len(source) > MAX_FILE_NAME:
        faults.append(Fault(("source",), f"is longer than {MAX_FILE_NAME} characters", "too_long"))
    faults += text_faults(source, ("source",))
    if faults:
        raise Invalid(faults)


def _length(row: Row | None) -> int:
    if row is None:
        return 0
    return len(row.text) if isinstance(row.value, Invalid) else len(str(row.value))
