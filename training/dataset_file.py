"""The rows of a dataset file, or of a file of traces, ready to be taught."""

from pathlib import Path
from typing import Any

from training.canonical import stable_id
from training.errors import Fault, Invalid, echo
from training.schema import TRACE_VERSION, read_trace
from training.splits import SPLITS, group_of, split_of
from training.strict_json import located, read_jsonl

MAX_LINE_BYTES = 2**20  # a trace's own limit
MAX_FAULTS = 50  # more would hide the first


def read_dataset(path: Path) -> list[dict[str, Any]]:
    """Rows of `{"id", "split", "prompt", "steps", "final_answer", "meta"}`, in the file's order.

    Traces without an id get the id of their content and line, those without a split the one that the rule gives them.
    Raises Invalid with lines, OSError when the file cannot be read.
    """
    rows, faults, ids = [], [], dict[str, int]()
    with path.open("rb") as stream:
        for line, value in read_jsonl(stream, max_line_bytes=MAX_LINE_BYTES):
            try:
                row = _row(value, line)
                _refuse_twin(row["id"], ids, line)
                rows.append(row)
            except Invalid as error:
                faults += error.faults
            if len(faults) >= MAX_FAULTS:
                break
    if faults:
        raise Invalid(faults[:MAX_FAULTS])
    if not rows:
        raise Invalid(Fault((), "there is no row in this file", "empty_file"))
    return rows


def _row(value: object, line: int) -> dict[str, Any]:
    if isinstance(value, Invalid):
        raise value
    given = dict(value) if isinstance(value, dict) else {}
    row_id, split = given.pop("id", None), given.pop("split", None)
    try:
        payload = read_trace({"trace_version": TRACE_VERSION, **given} if isinstance(value, dict) else value)
    except Invalid as error:
        raise located(error, line)
    if split is not None and split not in SPLITS:
        msg = f"must be one of {', '.join(SPLITS)}, not {echo(split)}"
        raise Invalid(Fault(("split",), msg, "unknown_value", line))
    row = {key: payload[key] for key in ("prompt", "steps", "final_answer", "meta")}
    return {"id": str(row_id or stable_id(payload, line)), "split": split or split_of(group_of(payload)), **row}


def _refuse_twin(row_id: str, ids: dict[str, int], line: int) -> None:
    if row_id in ids:
        msg = f"the id {echo(row_id)} is that of line {ids[row_id]} already"
        raise Invalid(Fault(("id",), msg, "duplicate_record", line))
    ids[row_id] = line
