"""The files of a run are removed as long work: whatever cuts it off, it is taken up again until nothing is left."""

import os
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from runs.models import Prediction, Run
from tunixrt.jobs.models import Job, Once
from tunixrt.jobs.work import Work

LARGE = "checkpoints"  # what a purge takes: parameters and the optimiser's state, step by step
CHUNK_ROWS = 2_000


class RemoveRun(Work):
    """Removes what the run's `removal` says. A purge leaves the record, the metrics and every answer."""

    kind = "remove_run"
    page = "run_detail"

    def body(self, job: Job) -> None:
        run = Run.objects.get(pk=job.target)
        aside = trash() / f"{run.pk}"
        doomed = run.directory if run.removal == Run.Removal.DELETE else run.directory / LARGE
        empty(aside, job)  # what a removal left that was cut off
        if doomed.is_symlink() or doomed.exists():
            aside.parent.mkdir(parents=True, exist_ok=True)
            doomed.rename(aside)  # at once, so that nobody meets half of it
            empty(aside, job)
        if run.removal == Run.Removal.DELETE:
            forget_predictions(run, job)

    def ended(self, job: Job) -> None:
        run = Run.objects.filter(pk=job.target).first()
        if run is None:
            return
        if job.status != Job.Status.DONE:
            run.note(f"its {run.removal} stopped: {job.error or job.status}. Ask for it again to go on.")
        elif run.removal == Run.Removal.DELETE:
            Once.objects.filter(target=run.pk).delete()
            run.delete()
        else:
            Run.objects.filter(pk=run.pk).update(removal="")


def trash() -> Path:
    """Beside the runs' directories, so that a rename brings something there at once."""
    return settings.TUNIXRT_HOME / "artifacts" / "trash"


def empty(path: Path, job: Job) -> None:
    """Removes what is at `path`, part by part. Links are removed, never followed.

    What is gone is as it should be: a worker that was taken for dead may be at it too.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for folder, folders, files in os.walk(path, topdown=False):
        job.tick()
        here = Path(folder)
        for name in (*files, *(name for name in folders if (here / name).is_symlink())):
            (here / name).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            here.rmdir()
    with suppress(OSError):
        path.parent.rmdir()  # the last one out


def forget_predictions(run: Run, job: Job) -> None:
    """The answers go first and in parts: the row follows in one short transaction."""
    rows = Prediction.objects.filter(evaluation__run=run).order_by("pk")
    while chunk := list(rows.values_list("pk", flat=True)[:CHUNK_ROWS]):
        job.tick()
        Prediction.objects.filter(pk__in=chunk).delete()
