"""What is done with a run that is there: cancel it, do it again, examine it again."""

from typing import Any

from django.db import transaction

from runs import tasks
from runs.models import Run
from runs.services.disposing import begin_work, lock_kept, require_checkpoints
from runs.services.launching import create, launch_run, require_engine
from training.record import RECORD
from training.shapes import OWN_FAMILY
from tunixrt.jobs import work
from tunixrt.lib.errors import Conflict

RETRIED = (Run.Status.TRAINING_FAILED, Run.Status.EVALUATION_FAILED, Run.Status.CANCELLED)
RESUMED = (Run.Status.TRAINING_FAILED, Run.Status.CANCELLED)
TRAINED = (Run.Status.COMPLETED, Run.Status.EVALUATION_FAILED)


def cancel_run(*, run: Run, by=None) -> None:
    """Cancels an open run: at once while it waits, else as soon as its worker has stopped the child.

    Harmless the second time. Raises Conflict for a run that ended otherwise.
    """
    with transaction.atomic():
        run.refresh_from_db(fields=["status"])
        if run.status == Run.Status.CANCELLED:
            return
        job = run.job
        if job is None or not job.is_open or not run.is_open:
            raise Conflict(f"{run} is {run.state}: there is nothing to cancel.", code="wrong_state")
        if job.cancel_requested:
            return
        run.note("asked to cancel", by)
        work.cancel(job)
        if not job.cancel_requested:
            raise Conflict(f"{run} finished this stage at this very moment. Look again.", code="wrong_state")


def retry_run(*, run: Run, by=None) -> Run:
    """A new run with the config, seed and data of one that did not come to its end."""
    _require(run, RETRIED, "retried; a run that came to its end can be replayed")
    return _again(run, Run.Origin.RETRY, by)


def resume_run(*, run: Run, by=None) -> Run:
    """A new run that goes on from the newest checkpoint of one that was cancelled or failed in training."""
    _require(run, RESUMED, "resumed")
    require_checkpoints(run)
    if not run.has_checkpoint:
        raise Conflict(f"{run} sealed no checkpoint to resume from. Retry it.", code="no_checkpoint")
    return _again(run, Run.Origin.RESUME, by)


def replay_run(*, run: Run, by=None) -> Run:
    """A new run that does again what the record of a trained one says, to see that the same comes out."""
    _require(run, TRAINED, "replayed")
    if not (run.directory / RECORD).exists():
        raise Conflict(f"{run} has no {RECORD} any more, and a replay has nothing else to go by.", code="no_record")
    return _again(run, Run.Origin.REPLAY, by)


def clone_run(*, run: Run, by=None, **changes: Any) -> Run:
    """A new run of the config, data, seed, engine and items of another, but for `changes`: what `launch_run` takes."""
    same = {
        "dataset_key": run.dataset.key,
        "config": run.config,
        "seed": run.seed,
        "engine": run.engine,
        "name": run.name,
        "evalset": run.evalset,
    }
    if changes.get("dataset_key", run.dataset.key) != run.dataset.key:
        same["evalset"] = None  # the items of the other dataset, unless some are named
    if "config_name" in changes:
        del same["config"]
    return launch_run(**same | changes, parent=run, by=by)


def evaluate_run(*, run: Run, by=None) -> Run:
    """Examines a trained run again; the rows replace those it has once they are whole."""
    _require(run, TRAINED, "examined")
    require_checkpoints(run)
    if run.config["model"]["family"] != OWN_FAMILY:
        require_engine(Run.Engine.TUNIX)
    with transaction.atomic():
        require_checkpoints(lock_kept(run))  # a removal may have been quicker
        run.move(Run.Status.EVALUATING, reason="to be examined again", by=by, error="")
        begin_work(tasks.EvaluateRun.kind, run, by)
    return run


def rescore_run(*, run: Run, by=None) -> Run:
    """Judges the answers of an examined run again by the judges of today; no model is asked.

    Harmless while it is under way. Raises Conflict for a run that has no answers, or that is going itself.
    """
    with transaction.atomic():
        run = lock_kept(run)
        if run.is_open or not run.evaluations.current().exists():
            raise Conflict(f"{run} is {run.state}: it has no answers to judge.", code="not_examined")
        job = run.job
        if job is None or not job.is_open or job.kind != tasks.RescoreRun.kind:
            run.note("to be judged again", by)
            begin_work(tasks.RescoreRun.kind, run, by)
    return run


def _again(parent: Run, origin: str, by) -> Run:
    """A new run of what `parent` was a run of. Raises Unavailable when its engine is not installed any more."""
    require_engine(parent.engine)
    same = ("name", "engine", "dataset", "evalset", "config", "config_sha256", "seed")
    fields = {name: getattr(parent, name) for name in same}
    return create(by, reason=f"{origin} of {parent.pk}", parent=parent, origin=origin, **fields)


def _require(run: Run, allowed: tuple[str, ...], what: str) -> None:
    run.refresh_from_db(fields=["status"])
    if run.status not in allowed:
        raise Conflict(f"{run} is {run.state}: it cannot be {what}.", code="wrong_state")
