"""How a closed run gets out of the way: archived (hidden), purged (its checkpoints go), deleted (all of it goes).

What goes is told before: `preview_removal`. A removal is first marked on the row, together with the work that carries
it out, so that one that was cut off is taken up again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from datasets_app.models import EvalSet
from runs import tasks
from runs.artifacts import Size, measure
from runs.models import Baseline, Prediction, Run
from runs.removal import LARGE
from tunixrt.jobs.models import Job
from tunixrt.jobs.work import enqueue, perform
from tunixrt.lib.errors import Conflict, Unavailable

PURGE, DELETE = Run.Removal.PURGE, Run.Removal.DELETE
NEEDS_CHECKPOINT = (Run.Origin.RESUME, Run.Origin.REPLAY)  # they begin with their parent's, or are held against it


@dataclass(frozen=True)
class Preview:
    """What a removal would take, and the runs that stand in its way."""

    run: Run
    removal: str
    size: Size
    predictions: int = 0
    held_by: list[Run] = field(default_factory=list)
    baseline_of: EvalSet | None = None  # whose other runs are held against it

    @property
    def is_held(self) -> bool:
        return bool(self.held_by or self.baseline_of)

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.run.pk,
            "name": self.run.name,
            "removal": self.removal,
            "files": self.size.files,
            "bytes": self.size.bytes,
            "predictions": self.predictions,
            "held_by": [{"id": run.pk, "name": run.name, "status": run.status} for run in self.held_by],
            "baseline_of": self.baseline_of.pk if self.baseline_of else None,
        }


def archive_run(*, run: Run, by=None) -> Run:
    """Hides a closed run from lists and choices. Harmless the second time."""
    return _show(run, False, by)


def unarchive_run(*, run: Run, by=None) -> Run:
    return _show(run, True, by)


def preview_removal(*, run: Run, removal: str) -> Preview:
    """What `purge_run` or `delete_run` would take. Changes nothing."""
    if removal == PURGE:
        held_by = run.children.open().filter(origin__in=NEEDS_CHECKPOINT)
        return Preview(run, removal, measure(run.directory / LARGE), held_by=list(held_by))
    predictions = Prediction.objects.filter(evaluation__run=run).count()
    return Preview(run, removal, measure(run.directory), predictions, list(run.children.all()), _held_against(run))


def purge_run(*, run: Run, by=None) -> Run:
    """Removes the checkpoints of a closed run; its record, metrics, ledger and answers stay.

    `removal` of the run that comes back is set while a worker is still at it. Raises Conflict while the run is open or
    an open run needs its checkpoints.
    """
    _remove(run, PURGE, "purged", by, purged_at=timezone.now())
    run.refresh_from_db()
    return run


def delete_run(*, run: Run, by=None) -> Run | None:
    """Removes a closed run with all its files, examinations and answers. Raises Conflict when runs came from it, or
    others are held against it: without it, an earlier baseline would be back and nobody told.

    None when it is gone, the run while a worker is still at it.
    """
    return _remove(run, DELETE, "deleted", by)


def runs_to_purge(*, older_than_days: int, statuses: list[str] | None = None, keep_tags: list[str] | None = None):
    """Closed runs that ended so many days ago and have checkpoints, without those that carry a tag to keep."""
    before = timezone.now() - timedelta(days=older_than_days)
    runs = Run.objects.with_dataset().closed().filter(finished_at__lte=before, purged_at__isnull=True, removal="")
    if statuses:
        runs = runs.filter(status__in=statuses)
    return runs.exclude(tags__name__in=keep_tags or []).order_by("finished_at", "id")


def purge_runs(*, runs, by=None) -> Iterator[tuple[Preview, str]]:
    """Purges one after another: what each was, and why not where it is held or a worker is still at it."""
    for run in runs:
        preview = preview_removal(run=run, removal=PURGE)
        try:
            purged = purge_run(run=run, by=by)
        except (Conflict, Unavailable) as refused:
            yield preview, refused.detail
        else:
            yield preview, f"{run} is being purged: a worker goes on with it." if purged.removal else ""


def require_checkpoints(run: Run) -> None:
    """Raises Conflict for a run whose checkpoints are gone, or that is going itself."""
    run.refresh_from_db(fields=["purged_at", "removal"])
    if run.removal == DELETE:
        raise Conflict(f"{run} is being deleted.", code="deleted")
    if run.purged_at:
        day = f"{run.purged_at:%Y-%m-%d}"
        raise Conflict(f"{run} was purged on {day}: its checkpoints are gone. Clone it to train again.", code="purged")


def hold(parent: Run, origin: str) -> None:
    """Keeps removals away from the parent of a new run until the transaction ends. Raises Conflict if one was first."""
    held = lock_kept(parent)
    if origin in NEEDS_CHECKPOINT:
        require_checkpoints(held)


def lock_kept(run: Run) -> Run:
    """The run as it is now, which no removal takes until the transaction ends. Raises Conflict if one was first."""
    # No key: whoever writes of a run at this moment, an event or work, neither waits for us nor we for him in a circle.
    runs = Run.objects.with_dataset().select_for_update(of=("self",), no_key=True)
    kept = runs.filter(pk=run.pk).exclude(removal=DELETE).first()
    if kept is None:
        raise Conflict(f"{run} is being deleted.", code="deleted")
    return kept


def begin_work(kind: str, run: Run, by, *, here: bool = False) -> Job:
    """Work for a closed run. Raises Conflict while there is another piece: there is only one at a time.

    That one is looked for first: a row in its place would wait until it has ended, and that waits for the run's lock.
    """
    busy = Conflict(f"Something else is being done with {run}. Look again.", code="wrong_state")
    if (job := run.job) and job.is_open:
        raise busy
    try:
        with transaction.atomic():
            return enqueue(kind, target=run.pk, created_by=by, here=here)
    except IntegrityError:
        raise busy


def _remove(run: Run, removal: str, done: str, by, **fields: Any) -> Run | None:
    """The run while somebody else holds the work or takes it up later; None when all is done."""
    with transaction.atomic():
        run = Run.objects.select_for_update(no_key=True).get(pk=run.pk)
        if removal == PURGE and run.purged_at and not run.removal:
            return None
        _require_free(run, removal, done)
        if not run.removal:
            run.note(f"to be {done}", by)
        run.removal = removal
        Run.objects.filter(pk=run.pk).update(removal=removal, **fields)
        job = _work_for(run, by)
    perform(job.pk)
    job.refresh_from_db()
    if job.status == Job.Status.FAILED:
        raise Unavailable(f"{run} could not be {done} whole: {job.error}. Ask again when that is mended.")
    return run if job.is_open else None


def _work_for(run: Run, by) -> Job:
    """The work of removal: a new one, or the one that is already waiting or being done."""
    job = run.job
    if job and job.is_open and job.kind == tasks.RemoveRun.kind:
        return job
    return begin_work(tasks.RemoveRun.kind, run, by, here=True)


def _require_free(run: Run, removal: str, done: str) -> None:
    if run.is_open:
        raise Conflict(f"{run} is {run.state}: it cannot be {done}. Cancel it first.", code="wrong_state")
    if run.removal not in ("", removal):
        raise Conflict(f"The {run.removal} of {run} has not come to its end. Ask for that again.", code="wrong_state")
    preview = preview_removal(run=run, removal=removal)
    if preview.held_by:
        names = ", ".join(f"{holder} ({holder.pk}, {holder.state})" for holder in preview.held_by)
        reason = "its checkpoints are needed by" if removal == PURGE else "it is the parent of"
        raise Conflict(f"{run} cannot be {done}: {reason} {names}.", code="held")
    if preview.baseline_of:
        told = f"{run} is the baseline of {preview.baseline_of}"
        raise Conflict(f"{told}: make another run the baseline before it is {done}.", code="baseline")


def _held_against(run: Run) -> EvalSet | None:
    """The evalset whose baseline the run is now, if other runs were examined on it."""
    baseline = Baseline.objects.of(run.evalset)
    others = Run.objects.examined_on(run.evalset).exclude(pk=run.pk)
    return run.evalset if baseline and baseline.run_id == run.pk and others.exists() else None


def _show(run: Run, shown: bool, by) -> Run:
    word = "taken back from the archive" if shown else "archived"
    with transaction.atomic():
        run = Run.objects.with_dataset().select_for_update(of=("self",), no_key=True).get(pk=run.pk)
        if run.is_open and not shown:
            raise Conflict(f"{run} is {run.state}: only a closed run is archived.", code="wrong_state")
        if shown != (run.archived_at is None):
            run.archived_at = None if shown else timezone.now()
            run.save(update_fields=["archived_at"])
            run.note(word, by)
    return run
