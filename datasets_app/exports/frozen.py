"""The rows of a frozen file, some hundred at a time, and the lines that become of them.

Rows are read and written by a fast decoder and encoder. What need not be looked into (`meta`, and all of a row that is
only handed on) passes through as the text it is in the file, which is canonical already: a float is never spelled anew.
The texts that are read and written spell as the standard library's do; tests compare every line.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import msgspec

from datasets_app.rows import as_frozen

BLOCK_BYTES = 128 * 1024  # of the file that are read, turned and sent at a time; more would leave the processor's cache
ENCODER = msgspec.json.Encoder(order="sorted")


class Step(TypedDict):
    i: int
    type: str
    content: str


class Row(TypedDict):
    """A row whose texts are rendered. The values of `meta` stay text."""

    id: str
    split: str
    prompt: str
    steps: list[Step]
    final_answer: str
    meta: dict[str, msgspec.Raw] | None


class RawStep(msgspec.Struct):
    content: msgspec.Raw


class RawRow(msgspec.Struct):
    """A row that is handed on: nothing in it is read but the names in `meta`."""

    id: msgspec.Raw
    prompt: msgspec.Raw
    steps: list[RawStep]
    final_answer: msgspec.Raw
    meta: dict[str, msgspec.Raw] | None


class _Placed(msgspec.Struct):
    split: str


class Block(NamedTuple):
    positions: list[int]  # the rows' places in the manifest
    rows: list[Any]


def read_blocks(path: Path, split: str | None, row_type: Any = Row, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """The rows of a frozen file, or of one split of it, as `row_type`, in blocks of about `block_bytes`."""
    decode, split_of = msgspec.json.Decoder(row_type).decode, msgspec.json.Decoder(_Placed).decode
    start = 0
    with path.open("rb") as file, as_frozen(path):
        while lines := file.readlines(block_bytes):
            placed = [(start + at, line) for at, line in enumerate(lines) if not split or split_of(line).split == split]
            start += len(lines)
            if placed:
                yield Block([position for position, _ in placed], [decode(line) for _, line in placed])


def canonical_lines(rows: list[dict[str, Any]]) -> bytes:
    """A canonical line for each row: what `training.canonical` writes, of what `read_blocks` reads."""
    return ENCODER.encode_lines(rows)
