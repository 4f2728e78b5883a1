"""Training and examination as long work: each watches a child process and draws the consequence of how it ended."""

import os
import shutil
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from runs import replay, series, verdicts
from runs.children import run_child
from runs.models import QUEUE, Run
from training.engines import JAX, SCRIPTS, TUNIX
from training.files import file_sha256, write_json_atomic
from training.ledger import LEDGER, LOSSES, ROWS
from training.record import CHECKPOINTS, RECORD, read_record, write_record
from training.shapes import OWN_FAMILY
from tunixrt.jobs.models import Job
from tunixrt.jobs.work import Work, enqueue
from tunixrt.lib.errors import Refused

CONFIG = "config.json"


class TrainRun(Work):
    """pending → training → evaluating. The move to evaluating and the job that examines are one transaction."""

    kind = "train_run"
    page = "run_detail"
    queue = QUEUE

    def started(self, job: Job) -> None:
        run = run_of(job)
        run.move(
            Run.Status.TRAINING,
            reason=f"attempt {run.attempt + 1} on {job.worker}",
            attempt=run.attempt + 1,
            started_at=run.started_at or timezone.now(),
        )

    def body(self, job: Job) -> None:
        run = run_of(job)
        require_same_dataset(run)
        prepare_directory(run)
        run_child(job, run, train_argv(run))
        job.tick()  # from here on the run's row is written: only by its owner
        run.keep_metrics(series.summary(series.read_metrics(run.directory / series.METRICS)))
        if run.origin == Run.Origin.REPLAY:
            replay.store(run)

    def released(self, job: Job, reason: str) -> None:
        run_of(job).move(Run.Status.PENDING, reason=reason)

    def ended(self, job: Job) -> None:
        run = run_of(job)
        match outcome(job):
            case Job.Status.DONE:
                run.move(Run.Status.EVALUATING, reason="trained")
                enqueue(EvaluateRun.kind, target=run.pk, created_by=job.created_by)
            case Job.Status.CANCELLED:
                run.move(Run.Status.CANCELLED, reason=job.error or "cancelled before it began")
            case _:
                run.move(Run.Status.TRAINING_FAILED, reason="training failed", error=job.error)


class EvaluateRun(Work):
    """evaluating → completed, with the rows of both examinations in the database.

    When a run that was completed is examined again and that is cancelled, it is completed still.
    """

    kind = "evaluate_run"
    page = "run_detail"
    queue = QUEUE
    attempts = 2

    def body(self, job: Job) -> None:
        run = run_of(job)
        require_artifacts(run)
        run_child(job, run, evaluate_argv(run))
        job.tick()
        verdicts.store(run)

    def released(self, job: Job, reason: str) -> None:
        run_of(job).note(reason)

    def ended(self, job: Job) -> None:
        run = run_of(job)
        match outcome(job):
            case Job.Status.DONE:
                run.move(Run.Status.COMPLETED, reason="examined")
            case Job.Status.CANCELLED if run.events.filter(to_status=Run.Status.COMPLETED).exists():
                run.move(Run.Status.COMPLETED, reason="its repeated examination was cancelled; it keeps its results")
            case Job.Status.CANCELLED:
                run.move(Run.Status.CANCELLED, reason=job.error or "cancelled before its examination")
            case _:
                run.move(Run.Status.EVALUATION_FAILED, reason="examination failed", error=job.error)


def run_of(job: Job) -> Run:
    return Run.objects.select_related("dataset", "evalset", "parent").get(pk=job.target)


def outcome(job: Job) -> str:
    """How the job ended. Somebody who was told that it will be cancelled is not contradicted by its last second."""
    if job.status == Job.Status.DONE and Job.objects.filter(pk=job.pk, cancel_requested=True).exists():
        return Job.Status.CANCELLED
    return job.status


def require_same_dataset(run: Run) -> None:
    """Raises Refused unless the rows on disk are those that were frozen."""
    rows = run.dataset.rows_path
    try:
        same = file_sha256(rows) == run.dataset.content_sha256
    except FileNotFoundError:
        raise Refused(f"dataset_changed: the rows of {run.dataset.key} are gone from {rows}.", code="dataset_changed")
    if not same:
        raise Refused(
            f"dataset_changed: {rows} is not the file that was frozen. Restore it, or build a new version.",
            code="dataset_changed",
        )


def prepare_directory(run: Run) -> None:
    """The run's directory with its config; of a run that resumes another, with what that one had sealed.

    Raises Refused when what it had sealed is gone, or nothing can be written.
    """
    require_artifacts(run)
    try:
        if run.origin == Run.Origin.RESUME and not (run.directory / RECORD).exists():
            take_over(run, run.parent.directory)
        run.directory.mkdir(parents=True, exist_ok=True)
        write_json_atomic(run.directory / CONFIG, run.config)
    except OSError as error:
        msg = f"artifacts_unwritable: {error.filename or run.directory}: {error.strerror}. Mend it and retry the run."
        raise Refused(msg, code="artifacts_unwritable")


def require_artifacts(run: Run) -> None:
    """Raises Refused when the checkpoints that a run had sealed are gone: to begin anew would hide that."""
    if run.sealed_step is not None and not run.has_checkpoint:
        where = run.directory / CHECKPOINTS
        msg = f"artifacts_missing: step {run.sealed_step} was sealed, and no checkpoint is in {where} any more."
        raise Refused(f"{msg} Put them back, or retry the run.", code="artifacts_missing")


def take_over(run: Run, parent: Path) -> None:
    """Begins with what the parent left. The record comes last: with it, all is there."""
    shutil.rmtree(run.directory, ignore_errors=True)  # what a take-over left that was cut off
    shutil.copytree(parent / "checkpoints", run.directory / "checkpoints", copy_function=os.link)
    for name in ("tokenizer.json", series.METRICS, f"{LEDGER}/{ROWS}", f"{LEDGER}/{LOSSES}", series.SAMPLES):
        if (parent / name).exists():
            (run.directory / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(parent / name, run.directory / name)
    record = read_record(parent) | {"run_id": str(run.pk), "parent": str(run.parent_id)}
    write_record(run.directory, record)


def python_of(engine: str) -> Path:
    """The interpreter whose environment has the engine."""
    return settings.TUNIX_PYTHON if engine == TUNIX else settings.RUN_PYTHON


def train_argv(run: Run) -> list[str]:
    """`--resume` always: without a sealed checkpoint it begins at the beginning."""
    argv = [str(python_of(run.engine)), "-m", f"training.{SCRIPTS[run.engine]}", "--resume", *_asked(run)]
    argv += ["--output", str(run.directory), "--run_id", str(run.pk), "--device", settings.RUN_DEVICE]
    return argv + (["--parent", str(run.parent_id)] if run.parent_id else [])


def _asked(run: Run) -> list[str]:
    """What to train. A replay has it from the record of the run that it repeats, and from nothing else."""
    if run.origin == Run.Origin.REPLAY:
        return ["--replay", str(run.parent.directory)]
    return ["--config", str(run.directory / CONFIG), "--dataset", run.dataset.key, "--seed", str(run.seed)]


def evaluate_argv(run: Run) -> list[str]:
    """Our own engine examines every model of its family, whoever trained it; the others need Tunix for that too."""
    own = run.config["model"]["family"] == OWN_FAMILY
    argv = [str(python_of(JAX if own else TUNIX)), "-m", "training.eval_run", "--run", str(run.directory)]
    argv += ["--evalset", str(run.evalset.path), "--name", run.evalset.name]
    return [*argv, "--device", settings.RUN_DEVICE]
