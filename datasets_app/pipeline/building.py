"""How a dataset comes to be: selected, written into the database, hashed, put on disk, frozen."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256

from datasets_app.manifest import manifest
from datasets_app.models import Dataset, DatasetItem
from datasets_app.rows import line_of, row_of
from datasets_app.selection import CHUNK, select, texts
from datasets_app.survey import Survey
from training.files import directory_atomic, file_sha256, write_json_atomic, write_lines_atomic
from training.splits import group_of, split_of
from tunixrt.jobs.models import Job
from tunixrt.jobs.work import Work
from tunixrt.lib.errors import Conflict, Rule


class BuildDataset(Work):
    """Builds one dataset. Run again after a crash it starts over, or finishes what is only to be put on disk."""

    kind = "build_dataset"

    def body(self, job: Job) -> None:
        dataset = Dataset.objects.get(pk=job.target)
        if dataset.status == Dataset.Status.BUILDING:
            collect(dataset, job)
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


def collect(dataset: Dataset, job: Job) -> None:
    """Selects the traces, writes the items in small transactions, and moves the dataset to `sealing` with its hash."""
    dataset.items.all().delete()  # of an attempt that was interrupted
    trace_ids = select(dataset.request)
    if not trace_ids:
        raise Rule("No trace matches any more.", code="no_traces")
    survey, digest, items = Survey(), sha256(), list[DatasetItem]()
    for position, (trace_id, text) in enumerate(texts(trace_ids)):
        if text is None:
            raise Conflict(f"Trace {trace_id} was deleted while the dataset was being built. Build it again.")
        payload = json.loads(text)
        row = row_of(trace_id, split_of(group_of(payload)), payload)
        survey.add(row, payload)
        digest.update(line_of(row).encode())
        items.append(DatasetItem(dataset=dataset, position=position, trace_id=trace_id, split=row["split"]))
        if len(items) == CHUNK:
            _store(items, job, position + 1, len(trace_ids))
    _store(items, job, len(trace_ids), len(trace_ids))
    dataset.move(
        Dataset.Status.SEALING,
        trace_count=len(trace_ids),
        splits=survey.splits(),
        stats=survey.stats(),
        gates=survey.gates(),
        content_sha256=digest.hexdigest(),
    )


def put_on_disk(dataset: Dataset, tick: Callable[[int], None] = lambda done: None) -> None:
    """Writes the dataset's directory from its items; one that holds the same rows already is kept.

    Raises Conflict when there is a directory of that name with other rows.
    """
    contents = manifest(dataset, dataset.items.order_by("position").values_list("trace_id", flat=True))
    if not dataset.directory.exists():
        with directory_atomic(dataset.directory) as aside:
            write_lines_atomic(aside / dataset.rows_path.name, lines(dataset, tick))
            write_json_atomic(aside / dataset.manifest_path.name, contents)
    if not dataset.rows_path.exists() or file_sha256(dataset.rows_path) != dataset.content_sha256:
        raise Conflict(
            f"{dataset.directory} holds other rows than this dataset. Move it away, or choose another version.",
            code="directory_differs",
        )
    if not dataset.manifest_path.exists() or json.loads(dataset.manifest_path.read_bytes()) != contents:
        write_json_atomic(dataset.manifest_path, contents)


def lines(dataset: Dataset, tick: Callable[[int], None]) -> Iterator[str]:
    """The lines of `dataset.jsonl`, from the database, a chunk at a time."""
    for start in range(0, dataset.trace_count, CHUNK):
        tick(start)
        items = dataset.items.filter(position__gte=start, position__lt=start + CHUNK).order_by("position")
        for trace_id, split, text in items.values_list("trace_id", "split", "trace__canonical"):
            yield line_of(row_of(trace_id, split, json.loads(text)))


def _store(items: list[DatasetItem], job: Job, done: int, total: int) -> None:
    """Writes a chunk of items and empties the list."""
    DatasetItem.objects.bulk_create(items)
    items.clear()
    job.tick(done, total, "collecting traces")
