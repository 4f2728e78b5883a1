"""A child process's side of supervision: it dies with its supervisor, stops when asked, and says what it does.

A supervisor sets TUNIXRT_SUPERVISED=1, sends a byte on stdin at every beat and reads one JSON event a line from stdout.
Without a supervisor the same calls print lines for people.
"""

import ctypes
import fcntl
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OK = 0
USAGE = 2
LOCKED = 8  # another process works in the same directory
BAD_CONFIG = 64  # config or data: trying again cannot help
NONFINITE = 70  # the loss or the gradient is no number any more
OUT_OF_MEMORY = 71
DISK_FULL = 73
TRANSIENT = 75  # stopped on request with its checkpoint sealed, or orphaned: worth another attempt

MARGIN = 5.0  # seconds in which a process that ends itself is gone

_PR_SET_PDEATHSIG = 1  # prctl(2)
_stop = threading.Event()


class Failure(Exception):
    """An end that the supervisor must tell apart: the exit code, a reason for programs, a sentence for people."""

    def __init__(self, code: int, reason: str, message: str):
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


def supervised() -> bool:
    return os.environ.get("TUNIXRT_SUPERVISED") == "1"


def enter_supervision() -> None:
    """From here on SIGTERM asks for a stop; under a supervisor, its death or silence ends this process too."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: _stop.set())
    if not supervised():
        return
    _die_with_parent()
    threading.Thread(target=_watch_beats, args=(silence(),), daemon=True, name="lifeline").start()


def silence() -> float:
    """Seconds without a word from the supervisor after which a child ends itself."""
    return float(os.environ.get("TUNIXRT_SILENCE_SECONDS", "60"))


def stop_requested() -> bool:
    """True once somebody asked this process to seal its work and end."""
    return _stop.is_set()


def emit(event: str, **fields: object) -> None:
    """Tells the supervisor, or the person at the terminal, what happens."""
    if supervised():
        line = json.dumps({"event": event, **fields}, ensure_ascii=False, allow_nan=False)
    else:
        line = " · ".join(
            [event, *(f"{name} {_readable(value)}" for name, value in fields.items() if value is not None)]
        )
    print(line, flush=True)


@contextmanager
def run_lock(directory: Path) -> Iterator[None]:
    """Holds `directory` for this process alone. Raises Failure (LOCKED) when another one works in it.

    Under a supervisor that other one is of an attempt that was given up, and ends within the silence it bears: it is
    waited for.
    """
    directory.mkdir(parents=True, exist_ok=True)
    handle = os.open(directory, os.O_RDONLY)
    try:
        deadline = time.monotonic() + (silence() + MARGIN if supervised() else 0)
        while not _locked(handle):
            if time.monotonic() >= deadline or stop_requested():
                raise Failure(LOCKED, "locked", f"another process is working in {directory}")
            time.sleep(0.1)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _die_with_parent() -> None:
    """Linux kills this process when the thread that started it ends; a parent that is gone already closes stdin."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch_beats(silence: float) -> None:
    """Ends the process at once when stdin closes or stays silent: somebody else may already be taking over."""
    stdin = sys.stdin.fileno()
    while select.select([stdin], [], [], silence)[0] and os.read(stdin, 4096):
        pass
    os._exit(TRANSIENT)


def _readable(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
