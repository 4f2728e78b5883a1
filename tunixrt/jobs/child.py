"""Supervision of a child process: the worker watches, the child works.

The child runs in its own process group with an environment of its own, hears a tick a second on its standard
input (silence or the end of it mean that its supervisor is gone), and answers with JSON lines. Should it survive its
supervisor all the same, whoever works in its directory next finds it by what is written there, and ends it.
"""

import contextlib
import json
import logging
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection

from training.files import write_json_atomic
from tunixrt.jobs.draining import is_stopping
from tunixrt.jobs.models import Cancelled, HandBack, Interrupted, Job, Lost
from tunixrt.lib.machines import birth, boot_id

log = logging.getLogger(__name__)

PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "RUN_MEMORY_BYTES",
    "RUN_THREADS",
)
LOOK_SECONDS = 1.0  # between two looks at the child, at most
EVENT_BYTES = 1 << 20  # longer lines are no events
CHILD = "child.json"  # in the directory of the log: which process works there
BEFORE_THE_FIRST = 3  # times RUN_STALL_SECONDS: compiling a large model takes long


def supervise(job: Job, argv: list[str], *, log_file: Path, on_event: Callable[[dict], None]) -> int:
    """Runs `argv` until it ends and returns its exit code (negative: the signal that ended it).

    Keeps the job's beat going meanwhile. Raises Cancelled, Lost or HandBack after the whole process group is
    gone, so that whoever owns the row next never meets this child. One that an earlier supervisor left in the log's
    directory is ended first.
    """
    kept = log_file.parent / CHILD
    end_orphan(kept)
    with log_file.open("ab") as stderr:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=child_environment(),
            cwd=settings.BASE_DIR,
            start_new_session=True,
        )
    lines = _Lines(child.stdout)
    try:
        write_json_atomic(kept, _named(child.pid, kept.parent))
        return _watch(job, child, lines, on_event)
    except (Cancelled, HandBack):
        _stop(child, lines, on_event)
        raise
    finally:
        _end(child)
        kept.unlink(missing_ok=True)


def end_orphan(kept: Path) -> None:
    """Ends the process group that the file `kept` tells of, if it lives on this machine still.

    A number alone proves nothing: by now it may be anybody's. Nor does a copy of the file in another directory.
    """
    try:
        noted = json.loads(kept.read_bytes())
        pid, born = int(noted["pid"]), noted["birth"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    while pid > 1 and born and noted == _named(pid, kept.parent):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
            log.warning("process group %s had outlived its supervisor and was ended", pid)
        time.sleep(0.05)


def _named(pid: int, directory: Path) -> dict[str, str | int]:
    """What tells a process that works in a directory from every other one."""
    return {"pid": pid, "birth": birth(pid), "boot": boot_id(), "directory": str(directory.resolve())}


def child_environment() -> dict[str, str]:
    """What the child may know: no secret key, no database, no broker."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    kept |= {name: value for name, value in os.environ.items() if name.startswith(("JAX_", "XLA_"))}
    return kept | {
        "TUNIXRT_HOME": str(settings.TUNIXRT_HOME),
        "TUNIXRT_SUPERVISED": "1",
        "TUNIXRT_SILENCE_SECONDS": str(max(2.0, 0.6 * settings.RUN_LEASE_SECONDS)),
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _stop(child: subprocess.Popen, lines: "_Lines", on_event: Callable[[dict], None]) -> None:
    """SIGTERM to the child's group, and all that it says until it has ended or the grace is over: the checkpoint that
    it seals counts."""
    _signal_group(child, signal.SIGTERM)
    deadline = time.monotonic() + settings.RUN_GRACE_SECONDS
    while time.monotonic() < deadline and not (child.poll() is not None and lines.ended):
        _tell(child)  # it must not take our silence for our death while it seals its checkpoint
        for event in lines.read(0.5):
            with contextlib.suppress(Cancelled):  # that is known
                on_event(event)
        if lines.ended:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=0.5)


def _end(child: subprocess.Popen) -> None:
    """SIGKILL to what is left of the child's group, and the reaping."""
    _signal_group(child, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        with contextlib.suppress(OSError):
            pipe.close()  # type: ignore[union-attr]


def _watch(job: Job, child: subprocess.Popen, lines: "_Lines", on_event: Callable[[dict], None]) -> int:
    started = last_beat = last_contact = last_event = time.monotonic()
    patience = BEFORE_THE_FIRST * settings.RUN_STALL_SECONDS
    look = min(LOOK_SECONDS, max(0.1, settings.RUN_HEARTBEAT_SECONDS / 4))
    while True:
        for event in lines.read(look):
            on_event(event)
            last_event = time.monotonic()
            patience = settings.RUN_STALL_SECONDS if event["event"] == "progress" else patience
        _tell(child)
        now = time.monotonic()
        if child.poll() is not None and lines.ended:
            return child.returncode
        if is_stopping():
            raise Interrupted("its worker is stopping")
        if now - last_event > patience:
            raise HandBack(f"it hangs: nothing heard of it for {patience} s (RUN_STALL_SECONDS)")
        if now - started > settings.RUN_MAX_SECONDS:
            raise TimeoutError(f"longer than RUN_MAX_SECONDS ({settings.RUN_MAX_SECONDS} s)")
        try:
            if now - last_beat >= settings.RUN_HEARTBEAT_SECONDS:
                job.tick()
                last_beat = now
            elif Job.objects.filter(pk=job.pk, cancel_requested=True).exists():
                raise Cancelled
            last_contact = now
        except DatabaseError as error:
            connection.close()
            log.warning("the database does not answer: %s", error)
            if now - last_contact > 0.6 * settings.RUN_LEASE_SECONDS:
                raise Lost(f"{job}: no word from the database for too long, somebody else may own it")


class _Lines:
    """Complete lines of a pipe, without ever blocking longer than asked."""

    def __init__(self, pipe):
        self.pipe, self.rest, self.ended = pipe, b"", False
        os.set_blocking(pipe.fileno(), False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(pipe, selectors.EVENT_READ)

    def read(self, seconds: float) -> list[dict]:
        if self.ended or not self.selector.select(seconds):
            return []
        data = os.read(self.pipe.fileno(), 1 << 16)
        self.ended = not data
        *lines, self.rest = (self.rest + data).split(b"\n")
        self.rest = self.rest[-EVENT_BYTES:]
        return [event for event in map(_event, lines) if event]


def _event(line: bytes) -> dict | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _tell(child: subprocess.Popen) -> None:
    with contextlib.suppress(OSError):
        os.write(child.stdin.fileno(), b".")  # type: ignore[union-attr]


def _signal_group(child: subprocess.Popen, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
