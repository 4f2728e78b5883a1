"""Files that are brought in."""

import errno
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from hashlib import file_digest
from pathlib import PurePath
from typing import BinaryIO

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from traces.models import Import
from traces.pipeline import ClearImport, ImportTraces, refuse_if_held
from traces.services.previews import Preview, check_options, preview
from training.files import file_sha256
from training.row_files import PARQUET
from training.unpacking import PACKED
from tunixrt.jobs import work
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Conflict, OutOfSpace, TooLarge

INLINE_BYTES = 1024**2  # a file up to this size is read while the person waits
INLINE_UNSURE_BYTES = 32 * 1024  # of a file that may hold far more rows, or faults, than its size tells
COMPARED_AT_ONCE = 20_000  # traces among which near-duplicates are looked for while a person watches the progress
COMPARED_IN_A_REQUEST = 1_000
WAITING_TIME = timedelta(days=1)  # that a file is kept for somebody to look at its preview

Watch = Callable[[Job], None] | None  # told of the progress of what is done at once


def keep_upload(*, upload, by) -> Import:
    """Keeps a file that came over HTTP, for its preview. Raises TooLarge over UPLOAD_MAX_BYTES, OutOfSpace, Invalid.

    Files that nobody decided on within WAITING_TIME make room for it.
    """
    check_size(upload)
    _discard_abandoned()
    row = _new(upload, upload.name, "auto", "", False, by)
    row.status = Import.Status.WAITING
    row.save()
    return row


def preview_import(*, row: Import, format: str = "auto") -> Preview:
    """What a kept file would become. Raises Invalid for a format that does not exist, Conflict without the file."""
    try:
        with row.source_path.open("rb") as file:
            return preview(file=file, file_name=row.file_name, format=format, source=row.source)
    except FileNotFoundError:
        raise Conflict(f"The file of the {row} is not kept any more.", code="wrong_state")


def start_import(*, row: Import, format: str, source: str, skip_bad: bool) -> Import:
    """Imports a file that was kept for its preview. Raises Conflict when somebody did already, or discarded it."""
    check_options(row.file_name, format, source)
    how = {"format": format, "source": source or row.file_name, "skip_bad": skip_bad, "created_at": timezone.now()}
    with transaction.atomic():
        row.move(Import.Status.LOADING, **how)
        at_once = _is_small(row.file_name, row.file_bytes, skip_bad)
        work.enqueue(ImportTraces.kind, target=row.pk, created_by=row.created_by, here=at_once)
    return _work_on(row) if at_once else row


def discard_import(*, row: Import) -> None:
    """Throws away a file that was kept for its preview. Raises Conflict when it is no longer one."""
    with transaction.atomic():
        row.move(Import.Status.CANCELLED)
        directory = row.directory
        row.delete()
        transaction.on_commit(lambda: shutil.rmtree(directory, ignore_errors=True), robust=True)


def import_upload(*, upload, format: str = "auto", source: str = "", skip_bad: bool = False, by) -> Import:
    """As `import_file`, for a file that came over HTTP. Raises TooLarge over UPLOAD_MAX_BYTES."""
    check_size(upload)
    at_once = _is_small(upload.name, upload.size, skip_bad)
    return import_file(
        file=upload, file_name=upload.name, format=format, source=source, skip_bad=skip_bad, at_once=at_once, by=by
    )


def check_size(upload) -> None:
    if upload.size > settings.UPLOAD_MAX_BYTES:
        limit = f"{settings.UPLOAD_MAX_BYTES} bytes (UPLOAD_MAX_BYTES)"
        raise TooLarge(f"The file is larger than {limit}. `manage.py import_traces` takes files of any size.")


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
    watch: Watch = None,
) -> Import:
    """Takes a file in; the Import tells how it went. `at_once` reads it before returning, else a worker does.

    Nothing becomes visible unless the whole file is good, or `skip_bad` and some of it. `source` is the file's
    name by default; `watch` is told of the progress made at once. Raises Invalid for an option that does not
    exist, OutOfSpace when the disk is full.
    """
    row = _new(file, file_name, format, source, skip_bad, by)
    with transaction.atomic():
        row.save()
        work.enqueue(ImportTraces.kind, target=row.pk, created_by=by, here=at_once)
    return _work_on(row, watch) if at_once else row


def cancel_import(*, row: Import) -> None:
    """Stops an import that is still loading. Raises Conflict when it has ended."""
    job = row.job
    if row.status != Import.Status.LOADING or job is None or not job.is_open:
        raise Conflict(f"The {row} has ended: it is {row.status}.", code="wrong_state")
    work.cancel(job)


def undo_import(*, row: Import, by) -> Import:
    """Takes an import's traces out of sight at once; a worker then deletes them with what was said of them.

    Raises Conflict when it is not done, or when something that lasts is made of one of its traces.
    """
    with transaction.atomic():
        row.move(Import.Status.UNDOING)
        refuse_if_held(row)
        if (job := row.job) and job.is_open:  # looking for near-duplicates; what ends that begins the deletion
            work.cancel(job)
        if not Job.objects.for_target(row.pk).open().exists():
            work.enqueue(ClearImport.kind, target=row.pk, created_by=by)
    row.refresh_from_db()
    return row


def _discard_abandoned() -> None:
    for row in Import.objects.filter(status=Import.Status.WAITING, created_at__lt=timezone.now() - WAITING_TIME):
        with suppress(Conflict):  # somebody did decide just now
            discard_import(row=row)


def _work_on(row: Import, watch: Watch = None) -> Import:
    """Does here and now what waits to be done for an import: the loading, then what follows from it.

    Near-duplicates among very many traces take longer than the import did: that is left to a worker.
    """
    most = COMPARED_AT_ONCE if watch else COMPARED_IN_A_REQUEST
    while (job := row.job) and job.status == Job.Status.QUEUED:
        work.perform(job.pk, watch)
        row.refresh_from_db()
        if row.stored_count > most:
            break
    return row


def _is_small(name: str, size: int, skip_bad: bool) -> bool:
    """Whether a file is read while the person waits."""
    is_packed = PurePath(name).suffix.lower() in (PARQUET, *PACKED)
    return size <= (INLINE_UNSURE_BYTES if is_packed or skip_bad else INLINE_BYTES)


def _new(file: BinaryIO, file_name: str, format: str, source: str, skip_bad: bool, by) -> Import:
    """An unsaved import whose file is kept."""
    check_options(file_name, format, source)
    row = Import(file_name=file_name, format=format, source=source or file_name, skip_bad=skip_bad, created_by=by)
    _keep(file, row)
    return row


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
