"""Files of rows: one JSON list, or JSONL."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from training.errors import Fault, Invalid
from training.json_rules import Loc
from training.strict_json import BOM, decode, located, parse_value, read_jsonl, skip_space, syntax_fault


class Row(NamedTuple):
    """One row of a file: the line it starts on (from 1), the start of its faults' `loc`, and what it holds."""

    line: int
    loc: Loc
    value: object | Invalid


def read_rows(stream: BinaryIO, *, max_row_bytes: int) -> Iterator[Row]:
    """The rows of a file that is either one JSON list or JSONL; which one, its first character says.

    `stream` can seek. A list is held in memory as a whole, JSONL a line at a time. In a list, a fault's `loc`
    begins with the row's index.
    """
    start = stream.tell()
    head = stream.read(4096)
    stream.seek(start)
    if head.removeprefix(BOM.encode()).lstrip(b" \t\r\n").startswith(b"["):
        yield from _read_list(stream.read(), max_row_bytes)
    else:
        for line, value in read_jsonl(stream, max_line_bytes=max_row_bytes):
            yield Row(line, (), value)


def _read_list(data: bytes, max_row_bytes: int) -> Iterator[Row]:
    """The items of one JSON list. What breaks the list itself ends it; a faulty item does not."""
    line, before, index = 1, 0, -1
    try:
        text = decode(data.removeprefix(BOM.encode()))
        for index, (start, end, value) in enumerate(_items(text)):
            line += text.count("\n", before, start)
            before = start
            if len(text[start:end].encode()) > max_row_bytes:
                value = Invalid(Fault((), f"is larger than {max_row_bytes} bytes", "line_too_long"))
            yield Row(line, (index,), located(value, line, (index,)) if isinstance(value, Invalid) else value)
        if index < 0:
            raise Invalid(Fault((), "the list holds no rows", "empty_file"))
    except Invalid as invalid:
        line = invalid.faults[0].line or line
        yield Row(line, (), located(invalid, line))


def _items(text: str) -> Iterator[tuple[int, int, object | Invalid]]:
    """Where each item of the list starts and ends, and what it holds."""
    position = skip_space(text, text.index("[") + 1)
    while not text.startswith("]", position):
        value, end = parse_value(text, position)
        yield position, end, value
        position = skip_space(text, end)
        if text.startswith("]", position):
            break
        if not text.startswith(",", position):
            raise Invalid(syntax_fault("Expecting ',' or ']'", text, position))
        position = skip_space(text, position + 1)
        if text.startswith("]", position):
            raise Invalid(syntax_fault("Expecting value", text, position))
    end = skip_space(text, position + 1)
    if end != len(text):
        raise Invalid(syntax_fault("Extra data", text, end))
