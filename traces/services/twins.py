"""Near-duplicates."""

from django.db import IntegrityError, transaction

from traces.pipeline import LIBRARY, FindTwins
from tunixrt.jobs import work
from tunixrt.jobs.models import Job


def find_twins(*, by, at_once: bool = False, watch=None) -> Job:
    """Looks for near-duplicates among all traces that were not looked at yet; one such search runs at a time.

    `at_once` searches before returning, else a worker does; `watch` is told of the progress made at once.
    """
    try:
        with transaction.atomic():
            job = work.enqueue(FindTwins.kind, target=LIBRARY, created_by=by, here=at_once)
    except IntegrityError:  # it waits or runs already
        job = Job.objects.for_target(LIBRARY).first()
    if at_once:
        work.perform(job.pk, watch)
        job.refresh_from_db()
    return job


def twin_search() -> Job | None:
    """The latest search among all traces, or None before the first."""
    return Job.objects.for_target(LIBRARY).first()
