"""A stage of a run is a child process: what it says goes to its job, how it ends decides what happens next."""

import logging
import time
from pathlib import Path

from django.db import DatabaseError, connection

from runs import series
from runs.models import Run
from training import lifeline
from tunixrt.jobs.child import supervise
from tunixrt.jobs.models import HandBack, Job
from tunixrt.lib.errors import Refused

log = logging.getLogger(__name__)

WRITE_SECONDS = 1.0  # between two writes of the progress
FINAL = (
    lifeline.USAGE,
    lifeline.BAD_CONFIG,
    lifeline.NONFINITE,
    lifeline.OUT_OF_MEMORY,
    lifeline.DISK_FULL,
)
TAIL_LINES = 12


def run_child(job: Job, run: Run, argv: list[str]) -> None:
    """Runs a stage of `run` to its end and keeps what the child says of it.

    Raises Refused when another attempt cannot help, HandBack when it may.
    """
    relay, log_file = Relay(job, run), run.directory / series.LOG
    code = supervise(job, argv, log_file=log_file, on_event=relay)
    if code == lifeline.OK:
        return
    reason = relay.sentence or ending(code, log_file)
    if code in FINAL:
        raise Refused(reason)
    raise HandBack(reason)


class Relay:
    """Passes a child's events on to its job; a database that does not answer costs a figure, not the child."""

    def __init__(self, job: Job, run: Run):
        self.job, self.run = job, run
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
                    self.run.keep_sealed(event["step"])
                case "plan":
                    self.job.tick()  # the run's row is written by its owner only
                    self.run.keep_plan(event)
                case "notice":
                    self.job.tick()
                    self.run.note(event["message"])
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
