"""A frozen dataset put right: its directory from the database, or the database from its directory."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import count, islice
from pathlib import Path
from typing import Any
from uuid import UUID

from datasets_app.gates import CONTAMINATION
from datasets_app.manifest_file import ManifestFile
from datasets_app.models import Dataset
from datasets_app.pipeline.disk import contents, lines
from datasets_app.pipeline.items import forget_items, store_items
from datasets_app.pipeline.verifying import items_faults
from datasets_app.rows import read_chunks
from traces.models import Trace
from traces.services import store_traces
from training.canonical import canonical_json
from training.errors import Fault, Invalid, echo
from training.files import directory_atomic, file_sha256, write_json_atomic, write_lines_atomic
from training.request_fields import within
from training.schema import TRACE_VERSION, read_trace
from training.splits import SPLITS
from tunixrt.lib.errors import Conflict, Unavailable

CONTENT = ("prompt", "steps", "final_answer", "meta")
MAX_FAULTS = 20
CHUNK = 10_000


def restore_from_database(dataset: Dataset) -> None:
    """Writes those files of the directory that are not as frozen.

    Raises Conflict, and leaves them as they are, when the database's rows are not those that were frozen, or when
    something that is no file, or no directory, stands in the place of one.
    """
    for path, is_right in ((dataset.directory, Path.is_dir), *((path, Path.is_file) for path in _files(dataset))):
        if path.exists() and not is_right(path):
            raise Conflict(f"{path} is in the way. Move it away, then restore {dataset} again.", code="in_the_way")
    if dataset.directory.exists():
        _write(dataset, dataset.directory)
    else:
        with directory_atomic(dataset.directory) as aside:
            _write(dataset, aside)


def restore_from_disk(manifest: ManifestFile, rows: Path, dataset: Dataset | None, by) -> Dataset:
    """Makes traces, row and items agree with a manifest and the rows beside it. What is there already stays.

    Raises Invalid, before anything is written, when the files contradict themselves or traces that are stored, and
    Conflict when the hash is another.
    """
    if file_sha256(rows) != manifest.content_sha256:
        raise Conflict(f"{rows} has another hash than its manifest says.", code="hash_differs")
    if faults := list(islice(_row_faults(manifest, rows), MAX_FAULTS)):
        raise Invalid(faults)
    for chunk in read_chunks(rows):
        _store_missing(chunk, manifest.created_at, by)
    dataset = _row(manifest, dataset, by)
    if any(items_faults(dataset)):
        _store_items(dataset, rows)
    if dataset.status != Dataset.Status.FROZEN:
        dataset.move(Dataset.Status.FROZEN)
    return dataset


def _files(dataset: Dataset) -> tuple[Path, Path]:
    return dataset.rows_path, dataset.manifest_path


def _write(dataset: Dataset, directory: Path) -> None:
    rows = directory / dataset.rows_path.name
    if not rows.exists() or file_sha256(rows) != dataset.content_sha256:
        write_lines_atomic(rows, _frozen_lines(dataset))
    write_json_atomic(directory / dataset.manifest_path.name, contents(dataset))


def _frozen_lines(dataset: Dataset) -> Iterator[str]:
    """The lines of `dataset.jsonl`; raises Conflict after the last one if they are not what was frozen."""
    digest = sha256()
    for line in lines(dataset, tick=lambda done: None):
        digest.update(line.encode())
        yield line
    if digest.hexdigest() != dataset.content_sha256:
        msg = f"The rows of {dataset} in the database are not those that were frozen. Restore it from disk."
        raise Conflict(msg, code="hash_differs")


def _row_faults(manifest: ManifestFile, path: Path) -> Iterator[Fault]:
    """What contradicts in the rows: their form, the manifest's ids and counts, traces of the same id."""
    ids, counts, line = manifest.trace_ids, dict.fromkeys(SPLITS, 0), 0
    if len(set(ids)) < len(ids):
        yield Fault(("manifest.json", "trace_ids"), "name a trace twice", "wrong_value")
    try:
        for chunk in read_chunks(path):
            expected = [*ids[line : line + len(chunk)], *[None] * len(chunk)]
            for number, (row, trace_id) in enumerate(zip(chunk, expected, strict=False), start=line):
                yield from _form_faults(number, row, trace_id)
                counts[row["split"]] = counts.get(row["split"], 0) + 1
            known = set(expected)
            yield from _stored_faults({row["id"]: row for row in chunk if row["id"] in known})
            line += len(chunk)
    except (Unavailable, ValueError, KeyError, TypeError, AttributeError):
        yield Fault((path.name, line), "is no row of a dataset", "wrong_type")
        return
    if not line == len(ids) == manifest.fields["trace_count"]:
        msg = f"are {len(ids)}, trace_count is {manifest.fields['trace_count']}, and the file has {line} rows"
        yield Fault(("manifest.json", "trace_ids"), msg, "wrong_value")
    told = {split: manifest.fields["splits"].get(split) for split in SPLITS}
    if told != counts:
        yield Fault(("manifest.json", "splits"), f"are not those of the rows: {counts}", "wrong_value")


def _form_faults(number: int, row: dict[str, Any], trace_id: str | None) -> Iterator[Fault]:
    place = ("dataset.jsonl", number)
    if row["id"] != trace_id:
        yield Fault(place, f"has the id {echo(row['id'])}; the manifest has {echo(trace_id)} there", "wrong_value")
    if row["split"] not in SPLITS:
        yield Fault(place, f"is in no split: {echo(row['split'])}", "unknown_value")
    try:
        read_trace(_payload(row))
    except Invalid as invalid:
        yield from within(invalid, *place)


def _stored_faults(rows: dict[str, dict[str, Any]]) -> Iterator[Fault]:
    for trace in Trace.objects.filter(pk__in=rows).only("canonical"):
        row = rows[str(trace.pk)]
        if any(canonical_json(trace.payload[name]) != canonical_json(row[name]) for name in CONTENT):
            yield Fault(("dataset.jsonl",), f"says otherwise than the trace {trace.pk} that is stored", "trace_taken")


def _store_missing(chunk: Sequence[dict[str, Any]], created_at: datetime, by) -> None:
    """Stores the rows whose trace is gone, under its id; it is taken to be as old as the dataset."""
    held = set(Trace.objects.filter(pk__in=[row["id"] for row in chunk]).values_list("pk", flat=True))
    missing = {UUID(row["id"]): _payload(row) for row in chunk if UUID(row["id"]) not in held}
    if missing:
        store_traces(payloads=missing.values(), ids=list(missing), created_at=created_at, by=by)


def _row(manifest: ManifestFile, dataset: Dataset | None, by) -> Dataset:
    """The row, as the manifest says. A new one is `sealing` until it has its items."""
    leaks = (gate["count"] for gate in manifest.fields["gates"] if gate.get("gate") == CONTAMINATION)
    columns = manifest.columns() | {"created_at": manifest.created_at, "leak_count": next(leaks, 0)}
    if dataset:
        request = dataset.request | manifest.request()
        Dataset.objects.filter(pk=dataset.pk).update(request=request, **columns)
        dataset.refresh_from_db()
        return dataset
    request = manifest.request()
    parent = Dataset.objects.filter(pk=request["parent_dataset_id"]).first()
    own = {"pk": manifest.build_id, "key": manifest.fields["dataset_key"], "status": Dataset.Status.SEALING}
    return Dataset.objects.create(**own, **columns, request=request, parent=parent, created_by=by)


def _store_items(dataset: Dataset, rows: Path) -> None:
    """Puts every row in its place. Which of them are twins only the database knew: that is kept where it is."""
    groups = dict(dataset.items.values_list("trace_id", "group").iterator(chunk_size=CHUNK))
    forget_items(dataset)
    start = 0
    for chunk in read_chunks(rows):
        ids = [UUID(row["id"]) for row in chunk]
        items = zip(count(start), ids, [row["split"] for row in chunk], [groups.get(key, 0) for key in ids])
        store_items(dataset, items)
        start += len(chunk)


def _payload(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a trace. Rows do not tell the version of their traces: it is the present one."""
    return {"trace_version": TRACE_VERSION, **{name: row[name] for name in CONTENT}}
