"""JSON as every database and every browser reads it alike, and nothing else.

A good row costs one parse by the standard library, with hooks that only ask whether something is odd. Only a row that
could hide something a database would refuse (an escape, deep nesting, a very long text, an odd number) is looked at
again, and only a row that does is parsed with the care that names each fault's place.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import BinaryIO, NamedTuple

from training.errors import Fault, Invalid, echo
from training.json_rules import (
    INTEGERS,
    MAX_DEPTH,
    MAX_FAULTS,
    MAX_KEYS,
    MAX_STRING,
    Flaw,
    Loc,
    has_utf8_form,
    is_sound,
    value_faults,
)

BOM = "\ufeff"
WHITESPACE = re.compile(r"[ \t\n\r]*")
SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")  # NUL, and the halves of surrogate pairs
SAFE_DIGITS = 18  # an integer of so many characters has less than 64 bits
COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"PK\x03\x04": "zip",
    b"PAR1": "Parquet",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
}
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
DRAIN_BYTES = 64 * 1024


def parse_json(data: bytes | str, *, max_bytes: int | None = None, max_keys: int = MAX_KEYS) -> object:
    """The value of one JSON text. An object may have `max_keys`, which are no fewer than MAX_KEYS.

    Raises Invalid: `too_large` (over `max_bytes`), `encoding`, `bom`, `json`, `too_deep`, `duplicate_key`,
    `too_many_keys`, `string_too_long`, `nul_character`, `lone_surrogate`, `non_finite`, `number_out_of_range`.
    """
    if max_bytes is not None and len(data) > max_bytes:
        raise Invalid(Fault((), f"is larger than {max_bytes} bytes", "too_large"))
    text = decode(data)
    value, end = parse_value(text, skip_space(text, 0), max_keys=max_keys)
    if end != len(text) and (end := skip_space(text, end)) != len(text):
        raise Invalid(syntax_fault("Extra data", text, end))
    if isinstance(value, Invalid):
        raise value
    return value


def read_jsonl(stream: BinaryIO, *, max_line_bytes: int) -> Iterator[tuple[int, object | Invalid]]:
    """Each non-blank line's number (from 1) and its value or its faults, in memory bounded by `max_line_bytes`.

    Lines end with the byte `\n` only; a BOM at the start is skipped. A file that is empty, compressed or
    UTF-16 gives a single Invalid.
    """
    for number, line, refusal in read_lines(stream, max_line_bytes=max_line_bytes):
        yield number, refusal or parse_line(line, number)


def read_lines(stream: BinaryIO, *, max_line_bytes: int) -> Iterator[tuple[int, bytes, Invalid | None]]:
    """As `read_jsonl`, before anything is parsed: each line's number, its bytes, and why it cannot be one.

    Of a line that is too long the bytes are its beginning; the rest is read and thrown away piece by piece.
    """
    number, found = 0, False
    while raw := stream.readline(max_line_bytes + 2):  # 2 for "\r\n"
        number += 1
        if number == 1:
            if refusal := _refuse_binary(raw):
                yield 1, b"", refusal
                return
            raw = raw.removeprefix(BOM.encode())
        line = raw.removesuffix(b"\n").removesuffix(b"\r")
        if len(line) > max_line_bytes:
            found = True
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(DRAIN_BYTES)
            message = f"is longer than {max_line_bytes} bytes; each line holds one row"
            yield number, line, Invalid(Fault((), message, "line_too_long", line=number))
        elif line.strip(b" \t\r"):
            found = True
            yield number, line, None
    if not found:
        yield 1, b"", Invalid(Fault((), "the file holds no data", "empty_file", line=1))


def parse_line(line: bytes, number: int) -> object | Invalid:
    """The value of the line with this number, or its faults."""
    try:
        return parse_json(line)
    except Invalid as invalid:
        return located(invalid, number)


def located(invalid: Invalid, line: int, loc: Loc = ()) -> Invalid:
    """The same faults, told where in a file their row stands."""
    return Invalid(replace(fault, line=line, loc=(*loc, *fault.loc)) for fault in invalid.faults)


class Place(NamedTuple):
    """How many lines end before a text begins, and how many characters of its first line stand before it."""

    lines: int = 0
    columns: int = 0


START = Place()


def parse_value(
    text: str, start: int, before: Place = START, *, max_keys: int = MAX_KEYS
) -> tuple[object | Invalid, int]:
    """The value that starts at `start`, or its faults, and where it ends. Raises Invalid where it has no end.

    `before` says where in a file `text` begins; `max_keys` is as in `parse_json`.
    """
    try:
        value, end = QUICK.raw_decode(text, start)
    except (_Questionable, ValueError, RecursionError):
        return _parse_with_care(text, start, before, max_keys)
    if _is_suspect(text, start, end) and not is_sound(value):
        return _parse_with_care(text, start, before, max_keys)
    return value, end


def _parse_with_care(text: str, start: int, before: Place, max_keys: int = MAX_KEYS) -> tuple[object | Invalid, int]:
    """As `parse_value`, in time to find every fault and its place."""
    hooks = _Hooks(max_keys)
    decoder = json.JSONDecoder(
        object_pairs_hook=hooks.on_object,
        parse_int=hooks.on_integer,
        parse_float=hooks.on_number,
        parse_constant=hooks.on_constant,
    )
    try:
        value, end = decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise Invalid(syntax_fault(error.msg, text, error.pos, before))
    except RecursionError:
        line = before.lines + text.count("\n", 0, start) + 1
        raise Invalid(Fault((), f"is nested deeper than {MAX_DEPTH} levels", "too_deep", line=line))
    faults = list(islice(value_faults(value, max_keys=max_keys), MAX_FAULTS))
    return (Invalid(faults) if faults else value), end


class _Hooks:
    """What the standard parser calls so that whatever it would let through or lose becomes a Flaw."""

    def __init__(self, max_keys: int):
        self._max_keys = max_keys

    def on_object(self, pairs: list[tuple[str, object]]) -> object:
        if len(pairs) > self._max_keys:
            return Flaw("too_many_keys", f"has {len(pairs)} keys; at most {self._max_keys} are read")
        value = dict(pairs)
        if len(value) < len(pairs):
            twice = {key for key, times in Counter(key for key, _ in pairs).items() if times > 1}
            value |= {key: Flaw("duplicate_key", "stands in its object twice; keep one") for key in twice}
        return value

    def on_integer(self, digits: str) -> object:
        if len(digits) <= 20 and (value := int(digits)) in INTEGERS:
            return value
        return Flaw("number_out_of_range", "is an integer of more than 64 bits; write it as a text")

    def on_number(self, digits: str) -> object:
        value = float(digits)
        if math.isfinite(value):
            return value
        return Flaw("number_out_of_range", f"{echo(digits)} is too large for a number; write it as a text")

    def on_constant(self, name: str) -> Flaw:
        return Flaw("non_finite", f"{name} is not JSON; leave it out or use null")


class _Questionable(Exception):
    """What the quick parser met may be a fault: the careful one decides, and says which."""


def _quick_object(pairs: list[tuple[str, object]]) -> dict:
    value = dict(pairs)
    if len(value) == len(pairs) <= MAX_KEYS:
        return value
    raise _Questionable


def _quick_integer(digits: str) -> int:
    if len(digits) > SAFE_DIGITS:
        raise _Questionable
    return int(digits)


def _quick_number(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise _Questionable
    return value


def _quick_constant(_name: str) -> object:
    raise _Questionable


# Made once: to make a decoder takes longer than to parse a short row.
QUICK = json.JSONDecoder(
    object_pairs_hook=_quick_object,
    parse_int=_quick_integer,
    parse_float=_quick_number,
    parse_constant=_quick_constant,
)


def _is_suspect(text: str, start: int, end: int) -> bool:
    """True when a value that parsed may still break a rule; false means that it cannot."""
    return (
        end - start > MAX_STRING
        or (text.find("\\", start, end) >= 0 and SUSPECT_ESCAPE.search(text, start, end) is not None)
        or text.count("{", start, end) + text.count("[", start, end) > MAX_DEPTH
    )


def _refuse_binary(head: bytes) -> Invalid | None:
    for signature, name in COMPRESSED.items():
        if head.startswith(signature):
            message = f"is a {name} file under a text file's name; unpack it or give it its own extension"
            return Invalid(Fault((), message, "compressed", line=1))
    if head.startswith(UTF16_BOMS):
        return Invalid(Fault((), "is UTF-16 text; save the file as UTF-8", "encoding", line=1))
    return None


def decode(data: bytes | str) -> str:
    """The text of UTF-8 `data`; raises Invalid where it has none."""
    if isinstance(data, str):
        if has_utf8_form(data):
            return data
        raise Invalid(Fault((), "contains half of a surrogate pair, which is no character", "lone_surrogate"))
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        byte = data[error.start]
        message = f"is not UTF-8 (byte 0x{byte:02x} at place {error.start + 1}); save the text as UTF-8"
        raise Invalid(Fault((), message, "encoding", column=error.start + 1))


def syntax_fault(reason: str, text: str, position: int, before: Place = START) -> Fault:
    """What is wrong at `position`; `reason` is in the words of the standard parser, `before` as in `parse_value`."""
    lines = text.count("\n", 0, position)
    line = before.lines + lines + 1
    column = position - text.rfind("\n", 0, position) + (0 if lines else before.columns)
    if text.startswith(BOM, position):
        message, type = "a byte order mark stands inside the text; remove it", "bom"
    elif reason == "Extra data":
        message, type = f"more follows the end of the value, at column {column}; a row is one JSON value", "json"
    else:
        reason = reason[:1].lower() + reason[1:].removesuffix(" at")
        message, type = f"is not JSON: {reason} at column {column}", "json"
    return Fault((), message, type, line=line, column=column)


def skip_space(text: str, position: int) -> int:
    """The first place from `position` on that holds no JSON white space."""
    match = WHITESPACE.match(text, position)
    return match.end() if match else position
