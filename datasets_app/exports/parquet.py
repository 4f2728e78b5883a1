"""Rows as a Parquet file, a row group at a time.

The columns are those of the frozen file, and beside them `messages`: what the model is taught. `meta` is JSON as text,
for the objects differ from row to row and a column has one type.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from datasets_app.exports.frozen import ENCODER, Row
from training.renderers import plain_prompt, plain_response

GROUP_BYTES = 4 * 1024**2  # of the frozen file that are one row group
STEP = pa.struct([("i", pa.int64()), ("type", pa.string()), ("content", pa.string())])
MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("prompt", pa.string()),
        ("steps", pa.list_(STEP)),
        ("final_answer", pa.string()),
        ("meta", pa.string()),
        ("messages", pa.list_(MESSAGE)),
    ]
)


class Written(NamedTuple):
    rows: int
    bytes: int  # in memory, as Arrow holds them


def write_parquet(file: BinaryIO, groups: Iterable[Sequence[Row]], recipe: str, instruction: str) -> Written:
    """Writes each of `groups` as a row group. The same rows give the same bytes with the same pyarrow."""
    rows = size = 0
    with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        for group in groups:
            batch = _batch(group, recipe, instruction)
            writer.write_batch(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
    return Written(rows, size)


def _batch(rows: Sequence[Row], recipe: str, instruction: str) -> pa.RecordBatch:
    steps: list[Mapping] = [step for row in rows for step in row["steps"]]
    turns = [text for row in rows for text in (plain_prompt(row["prompt"], instruction), plain_response(row, recipe))]
    arrays = {name: pa.array([row[name] for row in rows]) for name in ("id", "prompt", "final_answer")}
    arrays["steps"] = _lists(
        STEP, [[step[name] for step in steps] for name in STEP.names], [len(row["steps"]) for row in rows]
    )
    arrays["meta"] = pa.array([_text(row["meta"]) for row in rows], pa.string())
    arrays["messages"] = _lists(MESSAGE, [["user", "assistant"] * len(rows), turns], [2] * len(rows))
    return pa.RecordBatch.from_arrays([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def _lists(type: pa.StructType, columns: list[list[Any]], lengths: Iterable[int]) -> pa.ListArray:
    """A list of structs for each row: each field's values of all rows one after the other, and how many are a row's."""
    values = [pa.array(column, field.type) for column, field in zip(columns, type, strict=True)]
    structs = pa.StructArray.from_arrays(values, fields=list(type))
    return pa.ListArray.from_arrays([*accumulate(lengths, initial=0)], structs)


def _text(meta: dict[str, Any] | None) -> str | None:
    return None if meta is None else ENCODER.encode(meta).decode()
