"""Files of questions: evalsets as they are, and traces turned into questions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

import training
from training.errors import Fault, Invalid, echo
from training.evalsets import item_from_row, read_evalset, validate_items
from training.formats import FORMATS, evaluation, read_traces

EVALSET = "evalset"
FILE_FORMATS = (
    EVALSET,
    *(name for name in FORMATS if name != evaluation.FORMAT.name),
)  # a model's answer is no reference
SHIPPED = {path.stem: path for path in (Path(training.__file__).parent / "evalsets").glob("*.jsonl")}
MAX_FAULTS = 50


def read_items(path: Path, format: str = EVALSET) -> list[dict[str, Any]]:
    """The items of a file; for a format of traces, each trace asks its prompt.

    Raises Invalid with lines, and for an unknown format; OSError when the file cannot be read.
    """
    if format not in FILE_FORMATS:
        msg = f"must be one of {', '.join(FILE_FORMATS)}, not {echo(format)}"
        raise Invalid(Fault(("format",), msg, "unknown_format"))
    items = read_evalset(path) if format == EVALSET else _items_of_traces(path, format)
    validate_items(items)
    return items


def _items_of_traces(path: Path, format: str) -> list[dict[str, Any]]:
    items, faults = [], []
    for line, payload in _traces(path, format):
        if isinstance(payload, Invalid):
            faults += payload.faults
        else:
            items.append(item_from_row({"id": f"{format}-{line}", **payload}))
        if len(faults) >= MAX_FAULTS:
            break
    if faults:
        raise Invalid(faults[:MAX_FAULTS])
    return items


def _traces(path: Path, format: str) -> Iterator[tuple[int, dict | Invalid]]:
    with path.open("rb") as stream:
        yield from read_traces(stream, format=format, source=format, max_line_bytes=settings.TRACE_MAX_BYTES)
