"""A run's examinations as lm-evaluation-harness writes them, one checkpoint after the other."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from runs.models import Evaluation, Run
from training.errors import Invalid
from training.lm_eval import Examined, lm_eval_files
from training.record import read_record

KNOWN_BY_THE_RECORD = ("code_version", "libraries", "machine")


def lm_eval_of(run: Run) -> Iterator[tuple[PurePosixPath, str]]:
    """The files of every checkpoint that was examined, from the first on."""
    record = _record(run)
    for evaluation in _one_a_checkpoint(run):
        yield from lm_eval_files(_examined(run, record, evaluation)).items()


def _one_a_checkpoint(run: Run) -> list[Evaluation]:
    """The current examinations; of two at one checkpoint, which answer alike, the one after training."""
    by_step: dict[int, Evaluation] = {}
    for evaluation in run.evaluations.current().select_related("evalset").order_by("created_at", "pk"):
        if evaluation.checkpoint_step not in by_step or evaluation.stage == Evaluation.Stage.AFTER:
            by_step[evaluation.checkpoint_step] = evaluation
    return [by_step[step] for step in sorted(by_step)]


def _examined(run: Run, record: dict[str, Any], evaluation: Evaluation) -> Examined:
    predictions = list(evaluation.predictions.select_related("item"))
    return Examined(
        run_name=run.name,
        record=record,
        step=evaluation.checkpoint_step,
        evalset=evaluation.evalset.name,
        evalset_sha256=evaluation.evalset.sha256,
        items=[prediction.item.to_dict() for prediction in predictions],
        rows=[prediction.to_dict() | {"loss": prediction.loss} for prediction in predictions],
        judges=evaluation.judges,
        at=evaluation.created_at,
    )


def _record(run: Run) -> dict[str, Any]:
    """What the run was given: by its row, and where its run.json is still there what that adds."""
    given = run.config["data"]
    record = {"run_id": str(run.pk), "recipe": given["recipe"], "instruction": given["system_instruction"] or ""}
    record |= {name: getattr(run, name) for name in ("engine", "config", "config_sha256", "seed")}
    with suppress(Invalid):
        kept = read_record(run.directory)
        record |= {name: kept[name] for name in KNOWN_BY_THE_RECORD if name in kept}
    return record
