"""Reading a file of traces into the database."""

import json
from contextlib import suppress
from typing import TextIO

from django.conf import settings
from django.db import transaction

from traces.models import Import, Trace
from training.errors import Fault, Invalid
from training.formats import TraceReader
from training.row_files import open_rows
from tunixrt.jobs.models import Cancelled, Job
from tunixrt.jobs.work import Work

# A chunk is one transaction, about 100 ms on SQLite and on PostgreSQL.
CHUNK_ROWS = 500
CHUNK_CHARACTERS = 2 * 1024**2
MAX_FAULTS = 50


class ImportTraces(Work):
    """Stages the rows of a file where nobody sees them; what ends the job makes them visible, all at once."""

    kind = "import_traces"

    def body(self, job: Job) -> None:
        row = Import.objects.get(pk=job.target)
        discard(row, job)  # what an attempt that died had staged
        try:
            Loading(row, job).run()
        except (Cancelled, Invalid):
            discard(row, job)
            raise

    def ended(self, job: Job) -> None:
        row = Import.objects.get(pk=job.target)
        leftovers = [row.source_path]
        if job.status != Job.Status.DONE:
            discard(row)
            leftovers.append(row.rejected_path)
            row.errors = row.errors or [Fault((), job.error or "cancelled before it began", job.status).to_dict()]
            row.stored_count = row.duplicate_count = 0
        row.move(job.status, errors=row.errors, stored_count=row.stored_count, duplicate_count=row.duplicate_count)
        transaction.on_commit(lambda: [path.unlink(missing_ok=True) for path in leftovers], robust=True)


def discard(row: Import, job: Job | None = None) -> None:
    """Deletes what an import has staged, with a sign of life of its job for every chunk."""
    while chunk := list(row.traces.values_list("pk", flat=True)[:CHUNK_ROWS]):
        Trace.objects.filter(pk__in=chunk).delete()
        if job:
            with suppress(Cancelled):  # whoever cancelled waits for exactly this
                job.tick(message="clearing up")


class Loading:
    """One attempt at one file.

    A chunk is written together with a sign of life of the job, so that a worker that was given up cannot add
    rows to the attempt of another.
    """

    def __init__(self, row: Import, job: Job):
        self.row, self.job = row, job
        self.chunk: list[Trace] = []
        self.characters = self.read = self.stored = self.duplicates = self.bad = 0
        self.faults: list[Fault] = []

    def run(self) -> None:
        """Reads to the end, or to the point where more faults would help nobody. Raises Invalid with the faults."""
        with self.row.source_path.open("rb") as stream, self.row.rejected_path.open("w") as rejected:
            self.file = open_rows(stream, self.row.file_name, max_row_bytes=settings.TRACE_MAX_BYTES)
            self.reader = TraceReader(self.file, format=self.row.format, source=self.row.source)
            for line, result in self.reader:
                self.read += 1
                if isinstance(result, Invalid):
                    self._refuse(line, result, rejected)
                    if not self.row.skip_bad and len(self.faults) >= MAX_FAULTS:
                        break
                elif self.row.skip_bad or not self.bad:
                    self._add(result)
                if self.read % CHUNK_ROWS == 0 or self.characters > CHUNK_CHARACTERS:
                    self._flush()
            self._flush()
            self.row.format = self.reader.format or self.row.format
        self._conclude()

    def _add(self, payload: dict) -> None:
        trace = Trace.from_payload(
            payload, imported_by=self.row, created_by_id=self.row.created_by_id, created_at=self.row.created_at
        )
        self.chunk.append(trace)
        self.characters += len(trace.canonical)

    def _refuse(self, line: int, invalid: Invalid, rejected: TextIO) -> None:
        self.bad += 1
        self.faults += invalid.faults[: MAX_FAULTS - len(self.faults)]
        row = self.reader.row
        entry = {
            "line": line,
            "errors": [fault.to_dict() for fault in invalid.faults],
            "row": row.text if isinstance(row.value, Invalid) else row.value,
        }
        rejected.write(json.dumps(entry) + "\n")

    def _flush(self) -> None:
        with transaction.atomic():
            self._tick()
            unique = {trace.content_sha256: trace for trace in reversed(self.chunk)}  # the first of twins stays
            known = set(
                Trace.objects.known_to(self.row)
                .filter(content_sha256__in=unique)
                .values_list("content_sha256", flat=True)
            )
            new = [trace for trace in reversed(unique.values()) if trace.content_sha256 not in known]
            Trace.objects.insert(new)
        self.stored += len(new)
        self.duplicates += len(self.chunk) - len(new)
        self.chunk, self.characters = [], 0

    def _tick(self) -> None:
        self.job.tick(self.file.done, self.file.total, f"{self.read:,} rows read")

    def _conclude(self) -> None:
        self.row.stored_count, self.row.duplicate_count = self.stored, self.duplicates
        self.row.bad_count = self.bad
        failed = self.bad and not (self.row.skip_bad and self.stored + self.duplicates)
        if len(self.faults) >= MAX_FAULTS:
            self.faults.append(Fault((), f"only the first {MAX_FAULTS} faults are listed", "stopped"))
        self.row.errors = [fault.to_dict() for fault in self.faults]
        self.row.save(update_fields=["format", "stored_count", "duplicate_count", "bad_count", "errors"])
        if not self.bad:
            self.row.rejected_path.unlink()
        if failed:
            raise Invalid(self.faults)
