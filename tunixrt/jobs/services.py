"""What the faces ask of long work."""

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.urls import reverse

from training.canonical import canonical_json, sha256_hex
from training.errors import Fault, Invalid, echo
from tunixrt.jobs.models import Beacon, Job, Once
from tunixrt.jobs.work import KINDS
from tunixrt.lib.errors import Conflict, NotFound

log = logging.getLogger(__name__)

MAX_KEY = 200


@dataclass(frozen=True)
class Worker:
    """A worker by its sign of life, and what it does now."""

    beacon: Beacon
    job: Job | None

    @property
    def url(self) -> str:
        """The page of what it works on; empty where there is none."""
        page = KINDS[self.job.kind].page if self.job and self.job.kind in KINDS else ""
        return reverse(page, args=[self.job.target]) if self.job and page else ""

    @property
    def state(self) -> str:
        if not self.beacon.is_alive:
            return "silent"
        return "draining" if self.beacon.draining else "alive"

    def to_dict(self) -> dict[str, Any]:
        beacon, job = self.beacon, self.job
        names = ("id", "queue", "device", "since", "seen_at")
        work = job and {"kind": job.kind, "target": job.target, "percent": job.percent, "started_at": job.started_at}
        return {"name": beacon.worker, "state": self.state, **{n: getattr(beacon, n) for n in names}, "job": work}


def workers() -> list[Worker]:
    """Those that gave a sign of life within a day and did not end as they should."""
    held = {job.worker: job for job in Job.objects.running()}
    return [Worker(beacon, held.get(beacon.worker)) for beacon in Beacon.objects.workers()]


def drain_worker(*, name: str, by=None) -> Worker:
    """Asks a worker to hand its work back at a checkpoint and to stop; asked twice, it is asked once.

    `name` is its host and process. Raises NotFound when there is none, Conflict when it is silent.
    """
    found = next((worker for worker in workers() if worker.beacon.worker == name), None)
    if found is None:
        raise NotFound(f"There is no worker {echo(name)}. The page of workers has their names.")
    if not found.beacon.is_alive:
        raise Conflict(f"The worker {name} is silent: it cannot be asked. What it held is taken back by itself.")
    log.info("%s asks the worker %s to stop", by or "somebody", name)
    Beacon.objects.filter(pk=found.beacon.pk).update(draining=True)
    found.beacon.draining = True
    return found


def once(*, user, key: str | None, request: object, create: Callable[[], uuid.UUID]) -> tuple[uuid.UUID, bool]:
    """Runs `create` unless this user sent this `Idempotency-Key` before. Returns (target, whether it is new).

    Raises Conflict when the key was used for a different request, Invalid when it is too long. Two requests at the
    same moment: the database lets one in, the other finds its result.
    """
    if not key:
        return create(), True
    if len(key) > MAX_KEY:
        message = f"is {len(key)} characters long; at most {MAX_KEY} are allowed"
        raise Invalid(Fault(("Idempotency-Key",), message, "too_long"))
    fingerprint = sha256_hex(canonical_json(request))
    try:
        with transaction.atomic():
            row = Once.objects.create(user=user, key=key, fingerprint=fingerprint, target=uuid.UUID(int=0))
            row.target = create()
            row.save(update_fields=["target"])
            return row.target, True
    except IntegrityError:
        earlier = Once.objects.filter(user=user, key=key).first()
        if earlier is None:
            raise
    if earlier.fingerprint != fingerprint:
        raise Conflict("This Idempotency-Key was used for a different request. Send a new key.", code="key_reused")
    return earlier.target, False
