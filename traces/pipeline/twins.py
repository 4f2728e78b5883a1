"""Looking for near-duplicates among traces that were not looked at yet."""

from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from traces.models import Band, Import, Trace, Twin
from traces.pipeline.kinds import CLEAR_IMPORT, FIND_TWINS, LIBRARY
from training.twins import Likeness, bands_of
from tunixrt.jobs import work
from tunixrt.jobs.models import Job
from tunixrt.jobs.work import Work
from tunixrt.lib.bulk import by_index, insert

LOOK_ROWS = 300  # traces that are looked at together
LOOK_CHARACTERS = 1024**2
FETCH_ROWS = 30
HOT = 50  # traces that share a band: those that come later are compared with these and not remembered by it
HOT_ONLY = 0  # the band of a trace whose own bands were all hot, so that it counts as looked at
REMEMBERED = 32  # texts kept for the next comparisons


class Seen(NamedTuple):
    """A trace by its age."""

    created_at: datetime
    pk: UUID


class FindTwins(Work):
    """Compares the traces of one import, or all of LIBRARY, with everything that can be seen.

    Of every pair of near-duplicates the younger trace gets a Twin row, to the oldest one that it nearly repeats. A
    trace with a Band row was looked at, so what was interrupted goes on where it was.
    """

    kind = FIND_TWINS

    def body(self, job: Job) -> None:
        todo = not_looked_at(job.target)
        total, last = job.done + todo.count(), UUID(int=0)
        job.tick(total=total, message="looking for near-duplicates")
        while found := _some(todo.filter(pk__gt=last)):
            done, last = job.done + len(found), found[-1].pk
            Look(found).keep(job, done, total)
            job.made_progress()
        Import.objects.filter(pk=job.target, twin_count=None).update(twin_count=0)
        count_twins()

    def ended(self, job: Job) -> None:
        if Import.objects.filter(pk=job.target, status=Import.Status.UNDOING).exists():
            work.enqueue(CLEAR_IMPORT, target=job.target, created_by=job.created_by)


def not_looked_at(target: UUID) -> QuerySet[Trace]:
    """In the order in which they are looked at."""
    mine = Trace.objects.visible() if target == LIBRARY else Trace.objects.visible().filter(imported_by=target)
    new = mine.filter(~Exists(Band.objects.filter(trace=OuterRef("pk"))))
    return new.only("created_at", "canonical").order_by("pk")


def count_twins() -> None:
    """Notes at each import that was looked at how many of its traces are near-duplicates of older ones."""
    looked_at = Import.objects.filter(twin_count__isnull=False)
    twins = Twin.objects.filter(trace__imported_by__in=looked_at).values_list("trace__imported_by")
    counts = dict(twins.annotate(Count("pk")).order_by())
    for pk, before in looked_at.values_list("pk", "twin_count"):
        if counts.get(pk, 0) != before:
            looked_at.filter(pk=pk).update(twin_count=counts.get(pk, 0))


def _some(traces: QuerySet[Trace]) -> list[Trace]:
    found, characters = [], 0
    for trace in traces[:LOOK_ROWS].iterator(FETCH_ROWS):
        found.append(trace)
        characters += len(trace.canonical)
        if characters > LOOK_CHARACTERS:
            break
    return found


class Look:
    """A few traces, compared with all that were looked at before and with each other."""

    def __init__(self, traces: list[Trace]):
        self._payloads = {trace.pk: trace.payload for trace in traces}
        self._likeness = lru_cache(REMEMBERED)(self._likeness_of)
        self.bands: list[tuple[UUID, int]] = []
        self.twins: dict[Seen, tuple[Seen, float]] = {}  # the younger → the older, and how similar they are
        own = {Seen(trace.created_at, trace.pk): bands_of(self._payloads[trace.pk]) for trace in traces}
        self._sharing = _sharing({band for bands in own.values() for band in bands})
        for seen, bands in own.items():
            self._compare(seen, bands)
            self._remember(seen, bands)

    def keep(self, job: Job, done: int, total: int) -> None:
        """Writes what was found, of the traces that are still there."""
        with transaction.atomic():
            job.tick(done, total)
            found = {seen.pk for younger, (older, _) in self.twins.items() for seen in (younger, older)}
            named = found.union(pk for pk, _ in self.bands)
            there = set(Trace.objects.filter(pk__in=named).values_list("pk", flat=True))
            insert(Band, ("trace_id", "hash"), [row for row in self.bands if row[0] in there])
            self._keep_twins(there)

    def _keep_twins(self, there: set[UUID]) -> None:
        known = Twin.objects.filter(trace__in=[seen.pk for seen in self.twins])
        oldest = {pk: Seen(*older) for pk, *older in known.values_list("trace", "older__created_at", "older")}
        twins = [
            Twin(trace_id=younger.pk, older_id=older.pk, similarity=similarity)
            for younger, (older, similarity) in self.twins.items()
            if {younger.pk, older.pk} <= there and older < oldest.get(younger.pk, younger)
        ]
        Twin.objects.bulk_create(
            twins, update_conflicts=True, unique_fields=["trace"], update_fields=["older", "similarity"]
        )

    def _compare(self, seen: Seen, bands: list[int]) -> None:
        others = sorted({other for band in bands for other in self._sharing.get(band, ())})
        for other in others[:HOT]:
            older, younger = sorted((seen, other))
            if older < self.twins.get(younger, (younger,))[0]:
                one, two = self._likeness(older.pk), self._likeness(younger.pk)
                if one and two and one.is_twin(two):
                    self.twins[younger] = older, one.similarity(two)

    def _remember(self, seen: Seen, bands: list[int]) -> None:
        cool = [band for band in dict.fromkeys(bands) if len(self._sharing.setdefault(band, [])) < HOT]
        for band in cool:
            self._sharing[band].append(seen)
        self.bands += [(seen.pk, band) for band in cool or [HOT_ONLY]]

    def _likeness_of(self, pk: UUID) -> Likeness | None:
        """None for a trace that was deleted meanwhile."""
        if pk in self._payloads:
            return Likeness.of(self._payloads[pk])
        trace = Trace.objects.filter(pk=pk).only("canonical").first()
        return Likeness.of(trace.payload) if trace else None


def _sharing(bands: set[int]) -> dict[int, list[Seen]]:
    """The traces that share each band, as far as they can be seen."""
    sharing: dict[int, list[Seen]] = {}
    seen_by_all = Q(trace__imported_by=None) | Q(trace__imported_by__status=Import.Status.DONE)
    rows = Band.objects.filter(seen_by_all, hash__in=bands)
    with by_index():
        for band, *seen in rows.values_list("hash", "trace__created_at", "trace"):
            sharing.setdefault(band, []).append(Seen(*seen))
    return sharing
