"""The Celery application: `celery -A tunixrt worker -Q runs` starts a worker for training and examination."""

import logging
import os
import signal
import socket
import threading
from contextlib import suppress

from celery import Celery
from celery.signals import (
    celeryd_after_setup,
    setup_logging,
    worker_init,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tunixrt.settings")

app = Celery("tunixrt")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

log = logging.getLogger(__name__)
stopping, gone = threading.Event(), threading.Event()
BEAT, BEAT_SECONDS = "beat", 10  # a thread's name; how long its last beat may take
held: list[str] = []  # accelerators that are this worker's alone


@setup_logging.connect
def keep_django_logging(**kwargs: object) -> None:
    """Connecting this signal keeps Celery from replacing the logging that Django set up."""


@worker_init.connect
def refuse_to_start(**kwargs: object) -> None:
    """A worker that would lose work, or knows other tables than there are, says so instead of taking any.

    What does not answer now is no reason: it may before long.
    """
    from django.db import DatabaseError

    from tunixrt import state

    with suppress(DatabaseError):
        for check in (state.broker(), state.schema()):
            if check.state == "down" and "does not answer" not in check.detail:
                raise SystemExit(f"{check.name}: {check.detail}")


@celeryd_after_setup.connect
def take_devices(instance, **kwargs: object) -> None:
    """Gives this worker a name that its pool inherits. One that trains on an accelerator has it to itself."""
    from tunixrt.jobs import devices
    from tunixrt.jobs.models import WORKER

    os.environ[WORKER] = f"{socket.gethostname()}:{os.getpid()}"
    if "runs" in instance.app.amqp.queues.consume_from:
        held.extend(devices.devices())
        devices.take(held)


@worker_ready.connect
def show_signs_of_life(sender, **kwargs: object) -> None:
    """Lights this worker's beacon every heartbeat, and sweeps once: work may be waiting since before the start."""
    from django.conf import settings
    from django.db import DatabaseError

    from tunixrt.jobs.draining import drain_file
    from tunixrt.jobs.models import Beacon
    from tunixrt.jobs.work import Sweeper

    drain_file(os.getpid()).unlink(missing_ok=True)  # of a worker that had the same process number
    with suppress(DatabaseError):
        Beacon.put_out()  # its too: nobody asked this one to drain
    Sweeper(settings.RUN_LEASE_SECONDS).ring_for_waiting()
    queues = ", ".join(sorted(queue.name for queue in sender.task_consumer.queues))
    args = (queues, settings.RUN_HEARTBEAT_SECONDS)
    threading.Thread(target=_beat, args=args, daemon=True, name=BEAT).start()


@worker_shutting_down.connect
def hand_work_back(**kwargs: object) -> None:
    """Tells the process that supervises a child to stop it at a checkpoint: a warm shutdown alone waits for hours."""
    from tunixrt.jobs.draining import drain_file

    stopping.set()
    file = drain_file(os.getpid())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


@worker_shutdown.connect
def leave(**kwargs: object) -> None:
    """Leaves neither file nor beacon behind."""
    from django.db import DatabaseError

    from tunixrt.jobs.draining import drain_file
    from tunixrt.jobs.models import Beacon

    drain_file(os.getpid()).unlink(missing_ok=True)
    gone.set()
    for thread in threading.enumerate():
        if thread.name == BEAT:
            thread.join(BEAT_SECONDS)  # or it would light the beacon again
    try:
        Beacon.put_out()
    except DatabaseError as error:
        log.warning("the beacon stays: %s", error)


def _beat(queues: str, seconds: int) -> None:
    from django.db import DatabaseError, connection

    from tunixrt.jobs.models import Beacon

    while True:
        try:
            beacon = Beacon.light(kind="worker", queue=queues, device=", ".join(held))
            if beacon.draining and not stopping.is_set():
                os.kill(os.getpid(), signal.SIGTERM)  # as if a person had sent it
        except DatabaseError as error:
            log.warning("no sign of life could be written: %s", error)
        finally:
            connection.close()  # a pool child that is forked later must not inherit it
        if gone.wait(seconds):
            return
