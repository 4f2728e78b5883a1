"""The formats that are JSON lines. A new one is a function and an entry in `EXPORTS`."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from uuid import uuid5

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from datasets_app.exports.frozen import RawRow, Row, canonical_lines, read_blocks
from datasets_app.models import Dataset, DatasetItem
from traces.models import StepReview
from training.canonical import STABLE_IDS
from training.errors import Fault, Invalid, echo
from training.export_rows import trace_row
from training.renderers import plain_prompt, plain_response, render

PARQUET = "parquet"  # the format that is a directory, not lines
LOOK_AHEAD = 2_000  # places of the manifest that the database is asked about at once
LookUp = Callable[[QuerySet[DatasetItem]], dict[int, Any]]  # what the database knows of traces, by their position


def exported(dataset: Dataset, format: str, split: str | None) -> Iterator[bytes]:
    """The lines of an export, some hundred at a time, in the manifest's order and in constant memory."""
    export = EXPORTS[format]
    items = dataset.items.filter(split=split) if split else dataset.items.all()
    known, until = dict[int, Any](), -1
    for positions, rows in read_blocks(dataset.rows_path, split, export.row_type):
        if export.look_up and positions[-1] > until:
            until = max(positions[-1], positions[0] + LOOK_AHEAD)
            known = export.look_up(items.filter(position__range=(positions[0], until)))
        pairs = zip(positions, rows, strict=True)
        converted = [export.convert(row, dataset, known.get(position, {})) for position, row in pairs]
        if wanted := [row for row in converted if row is not None]:
            yield canonical_lines(wanted)


def check_format(format: str) -> None:
    """Raises Invalid when no export has this name."""
    if format == PARQUET:
        msg = (
            "parquet is a directory of files, not lines: get …/export.zip, or use the command "
            "export_dataset KEY --format parquet --output DIRECTORY"
        )
        raise Invalid(Fault(("format",), msg, "unknown_format"))
    if format not in EXPORTS:
        msg = f"must be one of {', '.join(EXPORTS)}, not {echo(format)}"
        raise Invalid(Fault(("format",), msg, "unknown_format"))


def _trace(row: RawRow, dataset: Dataset, facts: dict[str, str]) -> dict[str, Any]:
    steps = [step.content for step in row.steps]
    return trace_row(row.id, prompt=row.prompt, steps=steps, final_answer=row.final_answer, meta=row.meta, facts=facts)


def _tunix_sft(row: Row, dataset: Dataset, facts: dict[str, str]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "prompts": render(row, dataset.recipe, dataset.instruction),
        "final_answer": row["final_answer"],
        "metadata": {**(row["meta"] or {}), **facts, "format": "tunix_sft"},
    }


def _training_example(row: Row, dataset: Dataset, _: Mapping) -> dict[str, Any]:
    """The id follows from trace and recipe, so it is the same in every export."""
    origin = {"source_trace_id": row["id"], "recipe": dataset.recipe, "split": row["split"]}
    return {
        "id": str(uuid5(STABLE_IDS, f"{row['id']}:{dataset.recipe}")),
        "prompt": plain_prompt(row["prompt"], dataset.instruction),
        "response": plain_response(row, dataset.recipe),
        "metadata": {**(row["meta"] or {}), **origin},
    }


def _messages(row: Row, dataset: Dataset, _: Mapping) -> dict[str, Any]:
    user, assistant = plain_prompt(row["prompt"], dataset.instruction), plain_response(row, dataset.recipe)
    return {"messages": [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]}


def _prompt_completion(row: Row, dataset: Dataset, _: Mapping) -> dict[str, Any]:
    return {
        "prompt": plain_prompt(row["prompt"], dataset.instruction),
        "completion": plain_response(row, dataset.recipe),
    }


def _stepwise(row: Row, dataset: Dataset, opinions: Mapping[int, set[bool]]) -> dict[str, Any] | None:
    """The steps that people agree on, up to the first mistake or the first step that nobody rated; None for no step.

    The format of process supervision that TRL's stepwise trainer reads.
    """
    steps: list[str] = []
    labels: list[bool] = []
    for step in row["steps"]:
        found = opinions.get(step["i"], set())
        if len(found) != 1 or False in labels:
            break
        steps.append(step["content"])
        labels.extend(found)
    prompt = plain_prompt(row["prompt"], dataset.instruction)
    return {"prompt": prompt, "completions": steps, "labels": labels} if steps else None


def _facts(items: QuerySet[DatasetItem]) -> dict[int, dict[str, str]]:
    """What a trace has beside its content."""
    created_at = Cast(
        "trace__created_at", TextField()
    )  # as text: a driver takes longer to make a time than to fetch it
    found = items.values_list("position", created_at, "trace__trace_version").order_by()
    return {place: {"created_at": _utc(moment), "trace_version": version} for place, moment, version in found}


def _utc(moment: str) -> str:
    """`2026-01-01 12:00:00`, with or without a fraction and `+00`, as `trace_facts` writes a time."""
    day, time = moment.removesuffix("+00").split(" ")
    seconds, _, fraction = time.partition(".")
    return f"{day}T{seconds}.{fraction:0<6}Z"


def _opinions(items: QuerySet[DatasetItem]) -> dict[int, dict[int, set[bool]]]:
    """By the `i` of a step, whether people find it right; both answers where they disagree."""
    opinions: dict[int, dict[int, set[bool]]] = defaultdict(lambda: defaultdict(set))
    reviewed = items.filter(trace__reviews__isnull=False).order_by()
    for position, step, rating in reviewed.values_list("position", "trace__reviews__step", "trace__reviews__rating"):
        opinions[position][step].add(rating != StepReview.Rating.MISTAKE)
    return opinions


class Export(NamedTuple):
    title: str
    convert: Callable[[Any, Dataset, Any], dict[str, Any] | None]  # None leaves the row out
    look_up: LookUp | None = None
    row_type: Any = Row


EXPORTS: dict[str, Export] = {
    "trace": Export("Traces: prompt, steps and answer", _trace, look_up=_facts, row_type=RawRow),
    "tunix_sft": Export("Rendered Gemma turns", _tunix_sft, look_up=_facts),
    "training_example": Export("Prompt and response as the model sees them", _training_example),
    "messages": Export("Chat messages", _messages),
    "prompt_completion": Export("Prompt and completion", _prompt_completion),
    "stepwise": Export("Prompt, steps and a label each, from reviews of steps", _stepwise, look_up=_opinions),
}
TITLES = {name: export.title for name, export in EXPORTS.items()} | {PARQUET: "Files and a card, for load_dataset"}
