"""What can be done with traces. Pages, API, admin and commands call these, and nothing else changes a trace."""

import errno
import importlib.util
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import file_digest
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import BinaryIO, NoReturn
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import ProtectedError, QuerySet
from django.utils import timezone

from traces.comparison import StepPair, align_steps
from traces.models import Import, Score, Trace
from traces.pipeline import ImportTraces
from traces.scorers import scorer as find_scorer
from training.canonical import stable_id
from training.errors import Fault, Invalid, echo
from training.files import file_sha256
from training.formats import FORMATS
from training.json_rules import text_faults
from tunixrt.jobs import work
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Conflict, NotInstalled, OutOfSpace, TooLarge

CHUNK_ROWS = 500
BATCH_ROWS = 1000
INLINE_BYTES = 1024**2  # a file up to this size is read while the person waits
MAX_FILE_NAME = 200
UNGAR_COMMIT = "0e29e104aa1b13542b193515e3895ee87122c1cb"
UNGAR_INSTALL = f'pip install "ungar @ git+https://github.com/m-cahill/ungar@{UNGAR_COMMIT}"'


def store_traces(
    *, payloads: Iterable[dict], by, ids: Sequence[UUID] | None = None, created_at: datetime | None = None
) -> list[Trace]:
    """Stores payloads that `read_trace` has accepted, all or none, whether or not their content is known already."""
    moment = created_at or timezone.now()
    traces = [Trace.from_payload(payload, created_by=by, created_at=moment) for payload in payloads]
    for trace, trace_id in zip(traces, ids or (), strict=bool(ids)):
        trace.id = trace_id
    with transaction.atomic():
        for start in range(0, len(traces), CHUNK_ROWS):
            Trace.objects.insert(traces[start : start + CHUNK_ROWS])
    return traces


def store_stable_traces(*, payloads: Iterable[dict], by) -> tuple[list[UUID], int]:
    """Stores what is not there yet of a golden or generated set; returns the ids of all and the number of new ones.

    The ids come from content and index, so a second call, or one that was cut short before, adds only what is missing.
    """
    moment, rows = timezone.now(), enumerate(payloads)
    ids: list[UUID] = []
    new = 0
    while chunk := {stable_id(payload, index): payload for index, payload in islice(rows, CHUNK_ROWS)}:
        ids += chunk
        with transaction.atomic():
            known = set(Trace.objects.filter(pk__in=chunk).values_list("pk", flat=True))
            missing = [
                Trace.from_payload(payload, id=trace_id, created_by=by, created_at=moment)
                for trace_id, payload in chunk.items()
                if trace_id not in known
            ]
            Trace.objects.insert(missing, ignore_known=True)  # somebody may be storing the same set right now
        new += len(missing)
    return ids, new


def score_traces(*, traces: QuerySet[Trace], scorer: str = "baseline", by) -> int:
    """Scores each trace and returns how many. A score by the same scorer and version is replaced."""
    return sum(1 for _ in _score(traces, scorer, by))


def score_trace(*, trace: Trace, scorer: str = "baseline", by) -> Score:
    """Scores one trace; raises Invalid for an unknown scorer."""
    return next(_score(Trace.objects.filter(pk=trace.pk), scorer, by))


@dataclass(frozen=True)
class Side:
    """One of two compared traces, with its baseline score."""

    trace: Trace
    score: float


@dataclass(frozen=True)
class Comparison:
    base: Side
    other: Side
    steps: list[StepPair]


def compare(*, base: Trace, other: Trace) -> Comparison:
    """Two traces with their baseline scores, as of now, and their steps aligned by number."""
    judge = find_scorer("baseline")
    left, right = (Side(trace, judge.score(trace.payload)[0]) for trace in (base, other))
    return Comparison(left, right, align_steps(base.steps, other.steps))


def delete_trace(*, trace: Trace) -> None:
    """Deletes a trace with its scores. Raises Conflict when a dataset holds it or a correction stems from it."""
    try:
        trace.delete()
    except ProtectedError as error:
        corrected = any(isinstance(holder, Trace) for holder in error.protected_objects)
        reason = "another trace is a correction of it" if corrected else "a dataset holds it"
        raise Conflict(f"The trace cannot be deleted: {reason}.", code="held")


def import_upload(*, upload, format: str = "auto", source: str = "", skip_bad: bool = False, by) -> Import:
    """As `import_file`, for a file that came over HTTP. Raises TooLarge over UPLOAD_MAX_BYTES."""
    if upload.size > settings.UPLOAD_MAX_BYTES:
        limit = f"{settings.UPLOAD_MAX_BYTES} bytes (UPLOAD_MAX_BYTES)"
        raise TooLarge(f"The file is larger than {limit}. `manage.py import_traces` takes files of any size.")
    at_once = upload.size <= INLINE_BYTES
    return import_file(
        file=upload, file_name=upload.name, format=format, source=source, skip_bad=skip_bad, at_once=at_once, by=by
    )


def sha256_of(upload) -> str:
    """SHA-256 of an uploaded file's bytes; it is read from its start again afterwards."""
    digest = file_digest(upload.file, "sha256").hexdigest()
    upload.seek(0)
    return digest


def import_file(
    *,
    file: BinaryIO,
    file_name: str,
    format: str = "auto",
    source: str = "",
    skip_bad: bool = False,
    at_once: bool,
    by,
    watch: Callable[[Job], None] | None = None,
) -> Import:
    """Takes a file in; the Import tells how it went. `at_once` reads it before returning, else a worker does.

    Nothing becomes visible unless the whole file is good, or `skip_bad` and some of it. `source` is the file's
    name by default; `watch` is told of the progress made at once. Raises Invalid for an option that does not
    exist, OutOfSpace when the disk is full.
    """
    _check_import(file_name, format, source)
    row = Import(file_name=file_name, format=format, source=source or file_name, skip_bad=skip_bad, created_by=by)
    _keep(file, row)
    with transaction.atomic():
        row.save()
        job = work.enqueue(ImportTraces.kind, target=row.pk, created_by=by, here=at_once)
    if at_once:
        work.perform(job.pk, watch)
    row.refresh_from_db()
    return row


def cancel_import(*, row: Import) -> None:
    """Stops an import that is still loading. Raises Conflict when it has ended."""
    job = row.job
    if job is None or not job.is_open:
        raise Conflict(f"The {row} has ended: it is {row.status}.", code="wrong_state")
    work.cancel(job)


def ungar_status() -> dict:
    """Whether UNGAR is installed, and how to install the version that fits."""
    available = importlib.util.find_spec("ungar") is not None
    return {"available": available, "version": _ungar_version() if available else None, "install": UNGAR_INSTALL}


def refuse_ungar() -> NoReturn:
    """Raises NotInstalled with what to do about it."""
    if importlib.util.find_spec("ungar") is None:
        raise NotInstalled(f"UNGAR is not installed. Install it with: {UNGAR_INSTALL}")
    raise NotInstalled("UNGAR is installed, but its bridge is not built into this version of tunixrt.")


def _score(traces: QuerySet[Trace], scorer: str, by) -> Iterator[Score]:
    judge = find_scorer(scorer)
    rows = traces.only("canonical").order_by("pk").iterator(CHUNK_ROWS)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        moment = timezone.now()
        scores = []
        for trace in chunk:
            points, details = judge.score(trace.payload)
            scores.append(
                Score(
                    trace=trace,
                    scorer=judge.name,
                    version=judge.version,
                    score=points,
                    details=details,
                    created_by=by,
                    created_at=moment,
                )
            )
        yield from Score.objects.bulk_create(
            scores,
            update_conflicts=True,
            unique_fields=["trace", "scorer", "version"],
            update_fields=["score", "details", "created_by", "created_at"],
        )


def _check_import(file_name: str, format: str, source: str) -> None:
    faults = []
    if not 0 < len(file_name) <= MAX_FILE_NAME:
        message = f"has a name of {len(file_name)} characters; 1 to {MAX_FILE_NAME} are allowed"
        faults.append(Fault(("file",), message, "bad_name"))
    faults += text_faults(file_name, ("file",))
    if format not in ("auto", *FORMATS):
        message = f"{echo(format)} is not a known format; choose one of auto, {', '.join(FORMATS)}"
        faults.append(Fault(("format",), message, "unknown_format"))
    if len(source) > MAX_FILE_NAME:
        faults.append(Fault(("source",), f"is longer than {MAX_FILE_NAME} characters", "too_long"))
    faults += text_faults(source, ("source",))
    if faults:
        raise Invalid(faults)


def _keep(file: BinaryIO, row: Import) -> None:
    """Copies the file to where the import reads it, and notes its size and hash."""
    try:
        row.directory.mkdir(parents=True)
        with row.source_path.open("wb") as copy:
            shutil.copyfileobj(file, copy, 1024**2)
    except OSError as error:
        shutil.rmtree(row.directory, ignore_errors=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutOfSpace("The disk is full: the file could not be kept. Nothing was imported.")
        raise
    row.file_bytes = row.source_path.stat().st_size
    row.file_sha256 = file_sha256(row.source_path)


def _ungar_version() -> str | None:
    try:
        return version("ungar")
    except PackageNotFoundError:
        return None
