"""A frozen dataset in the formats that trainers read, one row at a time."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple
from uuid import uuid5

from datasets_app.models import Dataset
from datasets_app.rows import read_lines
from datasets_app.selection import CHUNK
from traces.models import StepReview, Trace
from training.canonical import STABLE_IDS, canonical_json
from training.errors import Fault, Invalid, echo
from training.export_rows import trace_facts, trace_row
from training.renderers import plain_prompt, plain_response, render

Row = Mapping[str, Any]
LookUp = Callable[[list[str]], Mapping[str, dict[str, Any]]]  # what a chunk of traces adds to their rows, by id


def exported(dataset: Dataset, format: str, split: str | None) -> Iterator[str]:
    """The lines of an export, in the manifest's order and in constant memory."""
    export = EXPORTS[format]
    rows = read_lines(dataset.rows_path, split)
    for row in _joined(rows, export.look_up) if export.look_up else rows:
        if (converted := export.convert(row, dataset)) is not None:
            yield canonical_json(converted) + "\n"


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


def _stepwise(row: Row, dataset: Dataset) -> dict[str, Any] | None:
    """The steps that people agree on, up to the first mistake or the first step that nobody rated; None for no step.

    The format of process supervision that TRL's stepwise trainers read.
    """
    steps, labels = [], []
    for step in row["steps"]:
        opinions = row["opinions"].get(step["i"], set())
        if len(opinions) != 1 or False in labels:
            break
        steps.append(step["content"])
        labels.extend(opinions)
    prompt = plain_prompt(row["prompt"], dataset.instruction)
    return {"prompt": prompt, "completions": steps, "labels": labels} if steps else None


def _joined(rows: Iterator[dict[str, Any]], look_up: LookUp) -> Iterator[dict[str, Any]]:
    """Each row with what the database knows of its trace, asked for a chunk at a time."""
    while chunk := list(islice(rows, CHUNK)):
        known = look_up([row["id"] for row in chunk])
        yield from (row | known[row["id"]] for row in chunk)


def _facts(ids: list[str]) -> dict[str, dict[str, Any]]:
    """`facts`: what a trace has beside its content."""
    found = Trace.objects.filter(pk__in=ids).values_list("pk", "created_at", "trace_version")
    return {str(trace_id): {"facts": trace_facts(created_at, version)} for trace_id, created_at, version in found}


def _opinions(ids: list[str]) -> dict[str, dict[str, Any]]:
    """`opinions`: by the `i` of a step, whether people find it right; both answers where they disagree."""
    opinions: dict[str, dict[int, set[bool]]] = {trace_id: defaultdict(set) for trace_id in ids}
    reviews = StepReview.objects.filter(trace__in=ids).values_list("trace", "step", "rating")
    for trace_id, step, rating in reviews:
        opinions[str(trace_id)][step].add(rating != StepReview.Rating.MISTAKE)
    return {trace_id: {"opinions": of_steps} for trace_id, of_steps in opinions.items()}


def _meta(row: Row) -> dict[str, Any]:
    return row["meta"] or {}


class Export(NamedTuple):
    title: str
    convert: Callable[[Row, Dataset], dict[str, Any] | None]  # None leaves the row out
    look_up: LookUp | None = None


EXPORTS: dict[str, Export] = {
    "trace": Export("Traces: prompt, steps and answer", _trace, look_up=_facts),
    "tunix_sft": Export("Rendered Gemma turns", _tunix_sft, look_up=_facts),
    "training_example": Export("Prompt and response as the model sees them", _training_example),
    "messages": Export("Chat messages", _messages),
    "prompt_completion": Export("Prompt and completion", _prompt_completion),
    "stepwise": Export("Prompt, steps and a label each, from reviews of steps", _stepwise, look_up=_opinions),
}
