"""A frozen dataset in the formats that trainers read, one row at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple
from uuid import uuid5

from datasets_app.models import Dataset
from datasets_app.rows import read_lines
from datasets_app.selection import CHUNK
from traces.models import Trace
from training.canonical import STABLE_IDS, canonical_json
from training.errors import Fault, Invalid, echo
from training.export_rows import trace_facts, trace_row
from training.renderers import plain_prompt, plain_response, render

Row = Mapping[str, Any]


def exported(dataset: Dataset, format: str, split: str | None) -> Iterator[str]:
    """The lines of an export, in the manifest's order and in constant memory."""
    export = EXPORTS[format]
    rows = read_lines(dataset.rows_path, split)
    for row in _with_facts(rows) if export.needs_facts else rows:
        yield canonical_json(export.convert(row, dataset)) + "\n"


def check_format(format: str) -> None:
    """Raises Invalid when no export has this name."""
    if format not in EXPORTS:
        msg = f"must be one of {', '.join(EXPORTS)}, not {echo(format)}"
        raise Invalid(Fault(("format",), msg, "unknown_format"))


def _trace(row: Row, dataset: Dataset) -> dict[str, Any]:
    return trace_row(row["id"], row, row["facts"])


def _tunix_sft(row: Row, dataset: Dataset) -> dict[str, Any]:
    return {
        "id": row["id"],
        "prompts": render(row, dataset.recipe, dataset.instruction),
        "final_answer": row["final_answer"],
        "metadata": _meta(row) | row["facts"] | {"format": "tunix_sft"},
    }


def _training_example(row: Row, dataset: Dataset) -> dict[str, Any]:
    """The id follows from trace and recipe, so it is the same in every export."""
    return {
        "id": str(uuid5(STABLE_IDS, f"{row['id']}:{dataset.recipe}")),
        "prompt": plain_prompt(row["prompt"], dataset.instruction),
        "response": plain_response(row, dataset.recipe),
        "metadata": _meta(row) | {"source_trace_id": row["id"], "recipe": dataset.recipe, "split": row["split"]},
    }


def _messages(row: Row, dataset: Dataset) -> dict[str, Any]:
    user, assistant = plain_prompt(row["prompt"], dataset.instruction), plain_response(row, dataset.recipe)
    return {"messages": [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]}


def _prompt_completion(row: Row, dataset: Dataset) -> dict[str, Any]:
    return {
        "prompt": plain_prompt(row["prompt"], dataset.instruction),
        "completion": plain_response(row, dataset.recipe),
    }


def _with_facts(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each row with `facts`, what the database knows of its trace beyond its content."""
    while chunk := list(islice(rows, CHUNK)):
        facts = _facts(row["id"] for row in chunk)
        yield from (row | {"facts": facts[row["id"]]} for row in chunk)


def _facts(ids: Iterable[str]) -> dict[str, dict[str, str]]:
    found = Trace.objects.filter(pk__in=list(ids)).values_list("pk", "created_at", "trace_version")
    return {str(trace_id): trace_facts(created_at, version) for trace_id, created_at, version in found}


def _meta(row: Row) -> dict[str, Any]:
    return row["meta"] or {}


class Export(NamedTuple):
    title: str
    convert: Callable[[Row, Dataset], dict[str, Any]]
    needs_facts: bool = False


EXPORTS: dict[str, Export] = {
    "trace": Export("Traces: prompt, steps and answer", _trace, needs_facts=True),
    "tunix_sft": Export("Rendered Gemma turns", _tunix_sft, needs_facts=True),
    "training_example": Export("Prompt and response as the model sees them", _training_example),
    "messages": Export("Chat messages", _messages),
    "prompt_completion": Export("Prompt and completion", _prompt_completion),
}
