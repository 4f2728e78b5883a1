"""A stage of a run is a child process: what it says goes to its job, how it ends decides what happens next."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from django.db import DatabaseError, connection

from runs import series
from training import lifeline
from tunixrt.jobs.child import supervise
from tunixrt.jobs.models import HandBack, Job
from tunixrt.lib.errors import Refused

log = logging.getLogger(__name__)

WRITE_SECONDS = 1.0  # between two writes of the progress
FINAL = (lifeline.USAGE, lifeline.BAD_CONFIG, lifeline.NONFINITE, lifeline.DISK_FULL)
TAIL_LINES = 12


def run_child(
    job: Job,
    argv: list[str],
    log_file: Path,
    note: Callable[[str], None],
    planned: Callable[[dict], None] = lambda plan: None,
) -> None:
    """Runs a stage to its end; `note` hears what belongs into the run's history, `planned` what it expects to take.

    Raises Refused when another attempt cannot help, HandBack when it may.
    """
    relay = Relay(job, note, planned)
    code = supervise(job, argv, log_file=log_file, on_event=relay)
    if code == lifeline.OK:
        return
    reason = relay.sentence or ending(code, log_file)
    if code in FINAL:
        raise Refused(reason)
    raise HandBack(reason)


class Relay:
    """Passes a child's events on to its job; a database that does not answer costs a figure, not the child."""

    def __init__(self, job: Job, note: Callable[[str], None], planned: Callable[[dict], None]):
        self.job, self.note, self.planned = job, note, planned
        self.sentence = ""  # why the child fails, in its own words
        self.written = float("-inf")

    def __call__(self, event: dict) -> None:
        try:
            match event["event"]:
                case "progress" if time.monotonic() - self.written >= WRITE_SECONDS or event["done"] == event["total"]:
                    self.job.tick(event["done"], event["total"], event["message"])
                    self.written = time.monotonic()
                case "phase":
                    self.job.tick(message=event["message"])
                case "checkpoint":
                    self.job.made_progress()
                case "plan":
                    self.planned(event)
                case "notice":
                    self.note(event["message"])
                case "failed":
                    self.sentence = event["message"]
        except DatabaseError as error:
            connection.close()
            log.warning("%s: progress could not be written: %s", self.job, error)


def ending(code: int, log_file: Path) -> str:
    """How a child ended that did not say why itself."""
    if code == -9:
        return "killed (signal 9, maybe out of memory)"
    if code < 0:
        return f"killed (signal {-code})"
    return "\n".join([f"ended with exit code {code}. The log's last lines:", *series.tail(log_file)[-TAIL_LINES:]])
