"""The contract between long work and the rooms: a room says what to do, this module says when and who."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress

from celery import current_app, shared_task
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connection, transaction

from training.errors import Invalid
from tunixrt.jobs.draining import is_stopping
from tunixrt.jobs.models import Cancelled, HandBack, Interrupted, Job, JobQuerySet, Lost
from tunixrt.lib.errors import Refused

log = logging.getLogger(__name__)

UNREACHABLE = "the queue does not answer; the work is stored and begins when it is back"


class Work:
    """One kind of long work. A room subclasses it in its `pipeline` and hands the class to `long_task`.

    `started`, `released` and `ended` run in the transaction that changes the job, so that the room's own row
    and the job never tell different stories.
    """

    kind: str
    queue = "short"
    page = ""  # name of the URL that shows a target, if there is one
    attempts = 3  # claims without progress before the work counts as failed

    def started(self, job: Job) -> None:
        """The job was claimed by this process."""

    def body(self, job: Job) -> None:
        """Do it, calling `job.tick` at least every heartbeat. Safe to run again after any interruption."""
        raise NotImplementedError

    def released(self, job: Job, reason: str) -> None:
        """The job is waiting again."""

    def ended(self, job: Job) -> None:
        """The job is done, failed or cancelled: `job.status` and `job.error` say which and why."""


KINDS: dict[str, Work] = {}


def long_task(work: type[Work]) -> Callable:
    """Registers a kind of work and returns the Celery task that does it.

    A worker that was told to stop begins nothing: what another one has just handed back would be handed back again.
    """
    KINDS[work.kind] = work()

    @shared_task(name=work.kind)
    def task(job_id: str) -> None:
        if not is_stopping():  # else the sweeper rings again
            close_old_connections()
            perform(job_id)

    return task


def enqueue(kind: str, *, target, created_by=None, here: bool = False) -> Job:
    """Writes the row of a piece of work and rings for it once the transaction is safe.

    `here` means that this process calls `perform` next, for what takes no longer than a request may: nobody else is
    rung for. Should it not live to, the sweeper rings.
    """
    job = Job.objects.create(kind=kind, queue=KINDS[kind].queue, target=target, created_by=created_by)
    if not here:
        transaction.on_commit(lambda: ring(job), robust=True)
    return job


def ring(job: Job) -> None:
    """Tells the workers that work is waiting. A lost ring loses nothing: the sweeper rings again."""
    try:
        current_app.send_task(job.kind, [str(job.pk)], queue=job.queue)
    except Exception as error:  # the broker's own family of errors differs by transport
        log.warning("The queue is unreachable, %s waits for the sweeper: %s", job, error)
        tell_waiting(Job.objects.filter(pk=job.pk), answers=False)


def tell_waiting(jobs: JobQuerySet, *, answers: bool) -> None:
    """Says on those of `jobs` that wait whether the queue answers, so that a page can tell why nothing happens."""
    waiting = jobs.filter(status=Job.Status.QUEUED)
    if answers:
        waiting.filter(message=UNREACHABLE).update(message="")
    else:
        waiting.exclude(message=UNREACHABLE).update(message=UNREACHABLE)


def perform(job_id, watch: Callable[[Job], None] | None = None) -> None:
    """Claims a job and does it. A late, doubled or mistaken message finds nothing to claim and does nothing.

    `watch` is told of every tick.
    """
    job = Job.objects.filter(pk=job_id, status=Job.Status.QUEUED).first()
    if job is None or not _start(job):
        return
    job.watch = watch
    try:
        KINDS[job.kind].body(job)
    except Lost as lost:
        log.warning("%s", lost)
    except Cancelled:
        finish(job, Job.Status.CANCELLED, "cancelled on request")
    except HandBack as reason:
        give_back(job, str(reason), failed=not isinstance(reason, Interrupted))
    except (Invalid, Refused) as refusal:
        finish(job, Job.Status.FAILED, str(refusal))
    except (OperationalError, InterfaceError) as error:
        log.warning("%s: the database does not answer: %s", job, error)
        connection.close()
        give_back(job, "the database did not answer")  # if it still does not, the sweeper takes it back
    except Exception as error:
        log.exception("%s failed", job)
        finish(job, Job.Status.FAILED, f"{type(error).__name__}: {error}")
    else:
        finish(job, Job.Status.DONE)


def finish(job: Job, status: str, error: str = "") -> None:
    """Ends a job and lets its room draw the consequence, in one transaction."""
    with suppress(Lost), transaction.atomic():
        job.end(status, error)
        KINDS[job.kind].ended(job)


def give_back(job: Job, reason: str, *, failed: bool = True) -> None:
    """Puts a job back into the queue, or ends it when it is to be cancelled, or failed often enough.

    An attempt that was interrupted has not `failed`: however often workers are stopped, the work goes on.
    """
    if Job.objects.filter(pk=job.pk, cancel_requested=True).exists():
        return finish(job, Job.Status.CANCELLED, "cancelled on request")
    if failed and job.stalls >= KINDS[job.kind].attempts:
        return finish(job, Job.Status.FAILED, f"{reason} ({job.stalls} attempts without progress)")
    with suppress(Lost), transaction.atomic():
        job.release(reason, failed=failed)
        KINDS[job.kind].released(job, reason)


def cancel(job: Job) -> None:
    """Cancels a job, now if nobody works on it, else as soon as its owner notices."""
    with transaction.atomic():
        if job.request_cancel():
            KINDS[job.kind].ended(job)


def _start(job: Job) -> bool:
    with transaction.atomic():
        claimed = job.claim()
        if claimed:
            KINDS[job.kind].started(job)
    return claimed


class Sweeper:
    """Rings for work that nobody has heard of, and takes work back from owners that fell silent.

    Silence is measured on this process's monotonic clock as a beat that did not change, so a clock that
    jumps expires nothing, and two sweepers do no harm. Call `sweep` every second or so.
    """

    def __init__(self, lease_seconds: float, clock: Callable[[], float] = time.monotonic):
        self.lease_seconds = lease_seconds
        self.clock = clock
        self.seen: dict = {}  # job id → (owner, beat, when it was first seen so)

    def sweep(self) -> None:
        self.ring_for_waiting()
        for job in Job.objects.running():
            try:
                self.look_at(job)
            except DatabaseError:
                raise
            except Exception:  # one that cannot be taken back must not keep the others from it
                log.exception("%s cannot be taken back", job)
        running = set(Job.objects.running().values_list("pk", flat=True))
        self.seen = {pk: sight for pk, sight in self.seen.items() if pk in running}

    def look_at(self, job: Job) -> None:
        """Takes a job back when its lease is over, or when its machine was started anew since.

        Machines that share a name would be told apart by their starts too, so then a live one must not beat either.
        """
        silence = self.silence(job)
        if job.is_of_an_earlier_boot and silence > 2 * settings.RUN_HEARTBEAT_SECONDS:
            give_back(job, "its machine was started anew", failed=False)
        elif silence > self.lease_seconds:
            log.warning("%s: no sign of life from %s for %s s", job, job.worker, self.lease_seconds)
            give_back(job, "its worker fell silent")

    def silence(self, job: Job) -> float:
        """Seconds for which its beat has stood still while this process looked."""
        owner, beat, since = self.seen.get(job.pk, (None, None, 0.0))
        if (owner, beat) != (job.owner, job.beat):
            self.seen[job.pk] = (job.owner, job.beat, self.clock())
            return 0.0
        return self.clock() - since

    def ring_for_waiting(self) -> None:
        """Rings where a queue holds work but no doorbell: so bells never pile up behind a long run."""
        for queue in Job.objects.waiting().order_by().values_list("queue", flat=True).distinct():
            bells, jobs = doorbells(queue), Job.objects.waiting().filter(queue=queue)
            tell_waiting(jobs, answers=bells is not None)
            for job in jobs[:100] if bells == 0 else ():
                ring(job)


def doorbells(queue: str) -> int | None:
    """Messages waiting at the broker for `queue`; None when it does not answer, so that nobody rings in vain."""
    try:
        with current_app.connection_for_read() as connection:
            # Both brokers, Redis and the embedded one, are kombu virtual transports, whose channels count this way.
            return connection.default_channel._size(queue)
    except Exception as error:
        log.warning("The broker does not answer: %s", error)
        return None
