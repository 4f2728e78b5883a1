"""Whether a run helped: from the files of an examination into rows, and from rows to what the pages say."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from datasets_app.models import EvalSet
from runs import timelapse
from runs.models import Evaluation, Prediction, Run
from training import decision
from training.decision import Decided
from training.result_rows import ResultRow
from training.results import Comparison, compare, read_results
from training.statistics import NoiseFloor
from tunixrt.lib.errors import Refused

CHUNK = 500  # rows a transaction: nobody else waits long for the database
STAGES = {Evaluation.Stage.BEFORE: "eval_before.jsonl", Evaluation.Stage.AFTER: "eval_after.jsonl"}


def store(run: Run) -> None:
    """Takes a run's examination from its files into the database, whole or not at all.

    The rows come in chunks and stay invisible until one update makes them the current ones. Raises Refused or
    Invalid when the files do not fit the run.
    """
    summary = json.loads((run.directory / "eval.json").read_bytes())
    if summary["evalset_sha256"] != run.evalset.sha256:
        raise Refused("The examination's file is about another evalset.", code="evalset_changed")
    run.evaluations.filter(status=Evaluation.Status.LOADING).delete()  # of an attempt that was cut off
    loaded = [_load(run, *part) for part in _parts(run, summary)]
    with transaction.atomic():
        run.evaluations.current().update(status=Evaluation.Status.REPLACED)
        run.evaluations.filter(pk__in=loaded).update(status=Evaluation.Status.COMPLETED)
        run.keep_metrics(headline(summary) | timelapse.headline(summary))


def headline(summary: dict[str, Any]) -> dict[str, Any]:
    """What lists and leaderboards show of an eval.json."""
    before, after, change = summary["before"], summary, summary["comparison"]
    return {
        "answer_correctness": after["metrics"]["answer_correctness"],
        "answer_correctness_interval": after["intervals"]["answer_correctness"],
        "answer_correctness_before": before["metrics"]["answer_correctness"],
        "answer_correctness_before_interval": before["intervals"]["answer_correctness"],
        "format_valid": after["metrics"]["format_valid"],
        "n_items": summary["n_items"],
        "n_scored": summary["n_scored"],
        **{name: change[name] for name in ("won", "lost", "kept_right", "kept_wrong", "p_value", "difference")},
        "difference_interval": change["interval"],
        "decision": summary["decision"],
    }


def decide(
    base_rows: Sequence[ResultRow],
    other_rows: Sequence[ResultRow],
    evalset: EvalSet,
    *,
    noise: NoiseFloor | None = None,
) -> Decided:
    """The decision on two examinations of one evalset, with its slices. Raises Invalid when they are of others."""
    return decision.decide(base_rows, other_rows, evalset.labelled_items(), noise=noise)


@dataclass(frozen=True)
class BeforeAfter:
    """A run's two examinations, what changed between them, and what that decides."""

    before: Evaluation
    after: Evaluation
    comparison: Comparison
    decided: Decided


def before_and_after(run: Run) -> BeforeAfter | None:
    """A run's two examinations side by side, or None while it has none."""
    stages = {evaluation.stage: evaluation for evaluation in run.evaluations.current().filter(stage__in=STAGES)}
    if len(stages) < len(STAGES):
        return None
    before, after = (stages[stage] for stage in STAGES)
    rows = before.judgements(), after.judgements()
    return BeforeAfter(before, after, compare(*rows), decide(*rows, run.evalset))


def _parts(run: Run, summary: dict[str, Any]) -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """Stage, rows and figures of each examination."""
    figures = {Evaluation.Stage.BEFORE: {**summary, **summary["before"], "checkpoint_step": 0}}
    for stage, name in STAGES.items():
        yield str(stage), run.directory / name, figures.get(stage, summary)
    for examined in timelapse.between(run, summary):
        yield str(Evaluation.Stage.STEP), examined.path, examined.summary


def _load(run: Run, stage: str, path: Path, figures: dict[str, Any]) -> Any:
    rows = read_results(path)
    evaluation = Evaluation.objects.create(
        run=run,
        evalset=run.evalset,
        stage=stage,
        checkpoint_step=figures["checkpoint_step"],
        metrics=figures["metrics"],
        intervals=figures["intervals"],
        judges=figures["judges"],
        correct_count=sum(row["correct"] is True for row in rows),
        scored_count=sum(row["correct"] is not None for row in rows),
    )
    items = dict(run.evalset.items.values_list("item_id", "pk"))
    if items.keys() != {row["id"] for row in rows}:
        raise Refused(f"{path.name} does not hold the items of {run.evalset.name}.", code="evalset_changed")
    for chunk in _chunks(rows):
        Prediction.objects.bulk_create(_prediction(evaluation, items, row) for row in chunk)
    return evaluation.pk


def _prediction(evaluation: Evaluation, items: dict[str, int], row: dict[str, Any]) -> Prediction:
    fields = ("output", "answer", "correct", "judges", "output_tokens", "finish_reason")
    given = {name: row[name] for name in fields}
    return Prediction(evaluation=evaluation, item_id=items[row["id"]], loss=row.get("loss"), **given)


def _chunks(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for first in range(0, len(rows), CHUNK):
        yield rows[first : first + CHUNK]
