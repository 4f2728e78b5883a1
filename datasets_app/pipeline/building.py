"""How a dataset comes to be: traces are chosen, split, written, passed through the gates, and frozen."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path

from datasets_app.models import Dataset
from datasets_app.pipeline.checking import Checked, check_rows
from datasets_app.pipeline.disk import contents, put_on_disk
from datasets_app.pipeline.gathering import Gathered, gather
from datasets_app.pipeline.items import forget_items, store_items
from datasets_app.pipeline.progress import Progress
from datasets_app.pipeline.refusal import refused
from datasets_app.pipeline.spool import Spool
from training.files import clear_aside, directory_atomic, write_json_atomic
from tunixrt.jobs.models import Job
from tunixrt.jobs.work import Work

PASSES = {
    "reading traces": 3,
    "writing rows": 2,
    "learning a tokenizer": 1,
    "passing the gates": 12,
    "looking for leaks": 3,
}
ITEMS = 2_000  # stored in one transaction


class BuildDataset(Work):
    """Builds one dataset. Run again after a crash it starts over, or finishes what is only to be put on disk."""

    kind = "build_dataset"

    def body(self, job: Job) -> None:
        dataset = Dataset.objects.get(pk=job.target)
        clear_aside(dataset.directory)  # of an attempt that was killed
        if dataset.status == Dataset.Status.BUILDING:
            build(dataset, Progress(job, PASSES))
        put_on_disk(dataset, tick=partial(job.tick, total=dataset.trace_count, message="writing the files"))

    def ended(self, job: Job) -> None:
        """A dataset that was not frozen holds no traces back from deletion."""
        dataset = Dataset.objects.get(pk=job.target)
        if job.status == Job.Status.DONE:
            dataset.move(Dataset.Status.FROZEN)
        else:
            dataset.items.all().delete()
            status = Dataset.Status.CANCELLED if job.status == Job.Status.CANCELLED else Dataset.Status.FAILED
            dataset.move(status, error=job.error)


def build(dataset: Dataset, progress: Progress) -> None:
    """Leaves the dataset `sealing`: its items and its hash in the database, its directory renamed into place, unless
    one is there already: `put_on_disk` looks at it, it may hold this very dataset.

    Raises Rule when no trace is left to take or a gate refuses; what it found then stays with the row.
    """
    forget_items(dataset)
    with suppress(FileExistsError), directory_atomic(dataset.directory) as aside:
        with spool(aside) as rows:
            gathered = gather(dataset.request, rows, progress)
            digest = write_rows(dataset, gathered, rows, aside / dataset.rows_path.name, progress)
        dataset.content_sha256 = digest  # the tokenizer is kept by it
        checked = check_rows(dataset, aside / dataset.rows_path.name, gathered, progress)
        refuse(dataset, checked)
        dataset.move(Dataset.Status.SEALING, trace_count=len(gathered), content_sha256=digest, **checked.columns())
        write_json_atomic(aside / dataset.manifest_path.name, contents(dataset))


@contextmanager
def spool(aside: Path) -> Iterator[Spool]:
    """The rows on their way, in a file that is gone afterwards."""
    path = aside / "rows.tmp"
    with Spool(path) as rows:
        yield rows
    path.unlink()


def write_rows(dataset: Dataset, gathered: Gathered, rows: Spool, path: Path, progress: Progress) -> str:
    """Writes the lines of `dataset.jsonl` and the items, some at a time. Returns the SHA-256 of the file."""
    digest, done = sha256(), 0
    progress.begin("writing rows", len(gathered))
    lines = rows.lines(gathered.splits)
    with path.open("wb", buffering=2**20) as file:
        for items in gathered.items(ITEMS):
            for _, line in zip(items, lines, strict=False):
                digest.update(line)
                file.write(line)
            store_items(dataset, items)
            done += len(items)
            progress.tell(done)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def refuse(dataset: Dataset, checked: Checked) -> None:
    """Raises Rule when a gate that is to refuse has found something. What all of them found is kept for the page."""
    for name, value in checked.columns().items():
        setattr(dataset, name, value)
    if dataset.refusing:
        dataset.save(update_fields=checked.columns())
        forget_items(dataset)  # some at a time, before one transaction ends the job
        raise refused(dataset)
