"""Taking an import's traces away again, a few at a time."""

from contextlib import suppress

from django.db import IntegrityError, models, transaction
from django.db.models import ProtectedError

from traces.models import Band, Import, Trace, Twin
from traces.models.imports import NOT_UNDONE
from traces.pipeline.kinds import CLEAR_IMPORT, FIND_TWINS, LIBRARY
from traces.pipeline.pace import Pace
from traces.pipeline.twins import count_twins
from training.errors import Fault
from tunixrt.jobs import work
from tunixrt.jobs.models import Cancelled, Job
from tunixrt.jobs.work import Work
from tunixrt.lib.bulk import by_index
from tunixrt.lib.errors import Conflict


class ClearImport(Work):
    """Deletes what an import stored that is being undone, or what one left behind that failed."""

    kind = CLEAR_IMPORT
    page = "import_detail"

    def body(self, job: Job) -> None:
        row = Import.objects.get(pk=job.target)
        refuse_if_held(row)
        try:
            freed = clear(row, job, total=row.traces.count())
        except (ProtectedError, IntegrityError):  # something took hold of a trace after we had asked
            refuse_if_held(row)
            raise
        if freed:
            count_twins()
            with suppress(IntegrityError), transaction.atomic():  # such a search waits or runs already
                work.enqueue(FIND_TWINS, target=LIBRARY, created_by=job.created_by)

    def ended(self, job: Job) -> None:
        row = Import.objects.get(pk=job.target)
        if row.status != Import.Status.UNDOING:
            return
        if job.status == Job.Status.DONE:
            row.move(Import.Status.UNDONE, twin_count=None)
        else:
            left = row.traces.count()
            reason = job.error or "The deletion was cancelled."
            message = f"{reason} {row.stored_count - left:,} of its traces are deleted already."
            errors = [*row.errors, Fault(("undo",), message, NOT_UNDONE).to_dict()]
            row.move(Import.Status.DONE, errors=errors, stored_count=left)


def clear(row: Import, job: Job, *, total: int | None = None, whatever_was_asked: bool = False) -> int:
    """Deletes an import's traces, with a sign of life of its job for every chunk.

    Traces that were known as near-duplicates of one of them count as not looked at any more; returns how many.
    `whatever_was_asked`: whoever cancelled the job waits for exactly this.
    """
    pace, done, freed = Pace(), 0, 0
    while chunk := list(row.traces.values_list("pk", flat=True)[: pace.rows]):
        with pace.over(chunk), transaction.atomic(), by_index():
            with suppress(*[Cancelled] if whatever_was_asked else []):
                job.tick(done if total else None, total, "deleting what was stored")
            twins = list(Twin.objects.filter(older__in=chunk).values_list("trace", flat=True))
            Band.objects.filter(trace__in=twins).delete()
            Trace.objects.filter(pk__in=chunk).only("pk").delete()
        done, freed = done + len(chunk), freed + len(twins)
        if total:
            job.made_progress()
    return freed


def refuse_if_held(row: Import) -> None:
    """Raises Conflict when anything that lasts, of whichever room, is made of an import's traces."""
    reasons = [reason for relation in Trace._meta.related_objects if (reason := _hold(row, relation))]
    if reasons:
        raise Conflict(f"The {row} cannot be undone: {' and '.join(reasons)}.", code="held")


def _hold(row: Import, relation: models.ForeignObjectRel) -> str:
    if getattr(relation, "on_delete", None) is not models.PROTECT:
        return ""
    holders = relation.related_model.objects.filter(**{f"{relation.field.name}__imported_by": row})
    if relation.related_model is Trace:
        count = holders.exclude(imported_by=row).values(relation.field.name).distinct().count()
        return f"{count:,} of its traces have corrections" if count else ""
    count = holders.values(relation.field.name).distinct().count()
    return f"{count:,} of its traces are in use as {relation.related_model._meta.verbose_name_plural}" if count else ""
