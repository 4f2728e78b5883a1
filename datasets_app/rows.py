"""The rows of a dataset: how a trace becomes a line of `dataset.jsonl`, and how lines are read back."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from training.canonical import canonical_json
from training.errors import Fault, Invalid, echo
from training.splits import SPLITS
from tunixrt.lib.errors import Unavailable

CHUNK = 500  # rows at a time
decode = msgspec.json.Decoder().decode  # as the standard library's, several times as fast: our lines are canonical


def row_of(trace_id: UUID, split: str, payload: dict) -> dict[str, Any]:
    """`{"id", "split", "prompt", "steps", "final_answer", "meta"}` of a trace."""
    content = {key: payload[key] for key in ("prompt", "steps", "final_answer", "meta")}
    return {"id": str(trace_id), "split": split, **content}


def line_of(row: dict[str, Any]) -> str:
    """The row's canonical line, which is what a dataset's hash is made of."""
    return canonical_json(row) + "\n"


def read_lines(path: Path, split: str | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a frozen file, or of one split of it, one at a time."""
    with path.open("rb") as file, as_frozen(path):
        for line in file:
            row = decode(line)
            if split in (None, row["split"]):
                yield row


@contextmanager
def as_frozen(path: Path) -> Iterator[None]:
    """Raises Unavailable when what is read of `path` are no rows: somebody altered the file."""
    try:
        yield
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        key = path.parent.name
        msg = f"{path} is not as it was frozen. `manage.py restore_dataset {key} --from database` writes it again."
        raise Unavailable(msg)


def read_chunks(path: Path, split: str | None = None) -> Iterator[list[dict[str, Any]]]:
    """As `read_lines`, some hundred rows at a time."""
    rows = read_lines(path, split)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def check_split(split: str | None) -> None:
    """Raises Invalid when there is no such split; None means all."""
    if split is not None and split not in SPLITS:
        msg = f"must be one of {', '.join(SPLITS)}, not {echo(split)}"
        raise Invalid(Fault(("split",), msg, "unknown_value"))
