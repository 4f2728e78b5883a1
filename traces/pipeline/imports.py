"""Reading a file of traces into the database."""

import errno
from collections.abc import Generator
from contextlib import closing, suppress
from pathlib import Path

from django.db import OperationalError, connection, transaction

from traces.lookups import AmongTexts
from traces.models import Import, Trace
from traces.pipeline.clearing import clear
from traces.pipeline.kinds import CLEAR_IMPORT, FIND_TWINS, IMPORT_TRACES
from traces.pipeline.pace import Pace
from traces.pipeline.reading import MAX_FAULTS, Chunk, Reading, ahead
from traces.rows import HASH, ID
from training.errors import Fault, Invalid
from tunixrt.jobs import work
from tunixrt.jobs.models import Cancelled, Job
from tunixrt.jobs.work import Work
from tunixrt.lib.bulk import by_index
from tunixrt.lib.errors import OutOfSpace

DISK_FULL = "The disk is full. Make room, then import the file again."


class ImportTraces(Work):
    """Stages the rows of a file where nobody sees them; what ends the job makes them visible, all at once."""

    kind = IMPORT_TRACES
    page = "import_detail"

    def body(self, job: Job) -> None:
        row = Import.objects.get(pk=job.target)
        clear(row, job)  # what an attempt that died had staged
        try:
            Loading(row, job).run()
        except (Cancelled, Invalid):
            clear(row, job, whatever_was_asked=True)
            raise
        except (OSError, OperationalError) as error:
            if is_disk_full(error):
                raise OutOfSpace(DISK_FULL)
            raise

    def ended(self, job: Job) -> None:
        row = Import.objects.get(pk=job.target)
        leftovers = [row.source_path]
        if job.status == Job.Status.DONE:
            row.move(Import.Status.DONE)
            work.enqueue(FIND_TWINS, target=row.pk, created_by=row.created_by)
        else:
            leftovers.append(row.rejected_path)
            row.move(job.status, errors=row.errors or [_reason(job).to_dict()], stored_count=0, duplicate_count=0)
            if row.traces.exists():
                work.enqueue(CLEAR_IMPORT, target=row.pk, created_by=row.created_by)
        transaction.on_commit(lambda: _tidy(row, leftovers), robust=True)


def _tidy(row: Import, leftovers: list[Path]) -> None:
    for path in leftovers:
        path.unlink(missing_ok=True)
    with suppress(OSError):  # rejected rows are kept there
        row.directory.rmdir()


def is_disk_full(error: Exception) -> bool:
    """Whether it was for want of room that a file, SQLite or PostgreSQL could not be written."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return getattr(error.__cause__, "sqlstate", None) == "53100" or "is full" in str(error)


def _reason(job: Job) -> Fault:
    return Fault((), job.error or "cancelled before it began", "disk_full" if job.error == DISK_FULL else job.status)


class Loading:
    """One attempt at one file.

    A chunk is written together with a sign of life of the job, so that a worker that was given up cannot add
    rows to the attempt of another.
    """

    def __init__(self, row: Import, job: Job):
        self.row, self.job, self.pace = row, job, Pace()
        self.stored = self.duplicates = 0

    def run(self) -> None:
        """Stores what is good. Raises Invalid with the faults when the import comes to nothing."""
        with self.row.source_path.open("rb") as stream, self.row.rejected_path.open("w") as rejected:
            reading = Reading(self.row, stream, rejected, self.pace)
            with closing(self._chunks(reading)) as chunks:
                for chunk in chunks:
                    self._store(chunk, reading.total)
        self._conclude(reading)

    def _chunks(self, reading: Reading) -> Generator[Chunk]:
        """SQLite has one writer at a time: there, others write while the next chunk is read."""
        return ahead(reading.chunks()) if connection.vendor == "postgresql" else reading.chunks()

    def _store(self, chunk: Chunk, total: int) -> None:
        new: list[tuple] = []
        with self.pace.over(chunk.rows), transaction.atomic(), by_index():
            self.job.tick(chunk.done, total, f"{chunk.read:,} rows read")
            new += self._unknown(chunk.rows)
            ids = {row[ID] for row in new}
            Trace.objects.insert(new, [tag for tag in chunk.tags if tag[0] in ids])
        self.stored += len(new)
        self.duplicates += len(chunk.rows) - len(new)

    def _unknown(self, rows: list[tuple]) -> list[tuple]:
        """The rows whose content nobody can see yet; of those that say the same, the first."""
        unique = {row[HASH]: row for row in reversed(rows)}
        seen = Trace.objects.known_to(self.row).filter(AmongTexts("content_sha256", unique))
        for content_sha256 in seen.values_list("content_sha256", flat=True):
            unique.pop(content_sha256, None)
        return list(reversed(unique.values()))

    def _conclude(self, reading: Reading) -> None:
        row, faults = self.row, reading.faults
        if len(faults) >= MAX_FAULTS:
            faults.append(Fault((), f"only the first {MAX_FAULTS} faults are listed", "stopped"))
        row.format, row.bad_count = reading.format, reading.bad
        row.stored_count, row.duplicate_count = self.stored, self.duplicates
        row.errors = [fault.to_dict() for fault in faults]
        row.save(update_fields=["format", "stored_count", "duplicate_count", "bad_count", "errors"])
        if not row.bad_count:
            row.rejected_path.unlink()
        elif not (row.skip_bad and self.stored + self.duplicates):
            raise Invalid(faults)
