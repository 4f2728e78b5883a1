"""The formats people bring traces in, each turned into the one shape that `training.schema` checks."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from training.errors import Fault, Invalid, echo
from training.formats import alpaca, evaluation, gsm8k, messages, prompt_completion, sharegpt, trace, ungar
from training.formats.format import Format
from training.row_files import Row, read_rows
from training.schema import kind, read_trace
from training.strict_json import located

# In this order they are detected: a row that fits several is read as the first of them.
FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (trace, messages, gsm8k, prompt_completion, sharegpt, alpaca, ungar, evaluation)
}


class TraceReader:
    """The rows of one file as (line number, valid payload or its faults), in order.

    All rows are read in one format; with "auto" the first object of a known shape decides, and `format` tells
    which it is from then on. `row` is the row that the last result was made of.
    """

    row: Row

    def __init__(self, rows: Iterable[Row], *, format: str, source: str):
        self.format = None if format == "auto" else format
        self._source = source
        self._results = map(self._read, rows)

    def __iter__(self) -> Iterator[tuple[int, dict | Invalid]]:
        return self

    def __next__(self) -> tuple[int, dict | Invalid]:
        return next(self._results)

    def _read(self, row: Row) -> tuple[int, dict | Invalid]:
        self.row = row
        if isinstance(row.value, Invalid):
            return row.line, row.value
        if self.format is None:
            self.format = detect_format(row.value)
        try:
            return row.line, read_trace(to_trace(row.value, self.format or "trace", source=self._source))
        except Invalid as invalid:
            return row.line, located(invalid, row.line, row.loc)


def read_traces(stream: BinaryIO, *, format: str = "auto", source: str, max_line_bytes: int) -> TraceReader:
    """Reads JSONL or one JSON list from a stream that can seek; no row may exceed `max_line_bytes`.

    Raises Invalid for an unknown format; faults of rows are yielded in their place.
    """
    if format != "auto":
        find_format(format)
    return TraceReader(read_rows(stream, max_row_bytes=max_line_bytes), format=format, source=source)


def detect_format(row: object) -> str | None:
    """The format whose fields `row` has; None when it has none's."""
    if not isinstance(row, dict):
        return None
    return next((format.name for format in FORMATS.values() if format.fits(row)), None)


def to_trace(row: object, format: str, *, source: str) -> dict:
    """`row` as a payload for `read_trace`, which still has to judge it. Raises Invalid where it cannot be turned.

    `meta.source` says `source`, and what else the row holds is kept in `meta`. A row that is a trace stays as it is.
    """
    convert = find_format(format).convert
    if not isinstance(row, dict):
        raise Invalid(Fault((), f"is {kind(row)}; each row is an object", "not_object"))
    return convert(row, source)


def find_format(name: str) -> Format:
    """The format of this name; raises Invalid when there is none."""
    if name not in FORMATS:
        message = f"{echo(name)} is not a known format; choose one of auto, {', '.join(FORMATS)}"
        raise Invalid(Fault(("format",), message, "unknown_format"))
    return FORMATS[name]
