"""Whether two expressions are equal, asked of the library math-verify in a process of its own.

sympy, which it computes with, can be led to compute for hours and to fill the memory. So it never runs in a process
that serves pages or trains: a helper is started when it is first needed, each question may take it a bounded time of
computing and a bounded memory, and when it dies of one, the next question starts another.
"""

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import IO, Literal, cast

from training.errors import Fault, Invalid

MATH_VERIFY = "0.9.0"  # another one may judge otherwise: with it the judge's version changes too
MAX_LENGTH = 200  # characters of an expression that is asked about
CPU_SECONDS = 3.0  # of computing, however busy the machine is, so that the same question ends the same
WALL_SECONDS = 20.0  # when a machine is so busy that not even that is reached
MEMORY_BYTES = 2**30
MISSING = 3  # the helper's exit code where math-verify is not installed
ROOT = Path(__file__).parents[2]

Verdict = Literal["equal", "different", "timeout", "unreadable"]


@lru_cache(maxsize=4096)
def prove(expected: str, answer: str) -> Verdict:
    """Whether two expressions in LaTeX are equal; `timeout` where that could not be found out within the bounds.

    Raises Invalid where math-verify is not installed.
    """
    if max(len(expected), len(answer)) > MAX_LENGTH:
        return "unreadable"
    return _helper.ask(expected, answer)


def close() -> None:
    """Ends the helper. The next question starts another."""
    _helper.stop()


class Helper:
    """The process that is asked, one question after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0  # the process that started it: one that is forked off starts its own

    def ask(self, expected: str, answer: str) -> Verdict:
        with self._lock:
            process = self._running()
            reply = self._reply(process, json.dumps([expected, answer]).encode() + b"\n")
            if reply:
                return json.loads(reply)
            if self._end() == MISSING:
                msg = f"math-verify {MATH_VERIFY} is not installed; `pip install math-verify=={MATH_VERIFY}`"
                raise Invalid(Fault(("judges",), msg, "math_verify_missing"))
            return "timeout"

    def stop(self) -> None:
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._owner != os.getpid():
            self._process, self._owner = None, os.getpid()
        if self._process is None or self._process.poll() is not None:
            self._process = _start()
        return self._process

    def _reply(self, process: subprocess.Popen[bytes], question: bytes) -> bytes:
        """One line, or b"" when the helper died or is silent for too long."""
        questions, replies = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
        with contextlib.suppress(BrokenPipeError):
            questions.write(question)
            questions.flush()
        with DefaultSelector() as selector:
            selector.register(replies, EVENT_READ)
            return replies.readline() if selector.select(WALL_SECONDS) else b""

    def _end(self) -> int | None:
        """Ends the process if it is ours; how it had ended, if by itself."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1 if process.poll() is None else 0)
        code = process.poll()
        process.kill()
        process.communicate()
        return code


def _start() -> subprocess.Popen[bytes]:
    """A helper with nothing of ours but where Python is; the order of its sets is the same each time."""
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-m", "training.judges.prover_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=keep | {"PYTHONHASHSEED": "0"},
        start_new_session=True,  # Ctrl-C is for whoever asks; the helper ends when its questions do
    )


_helper = Helper()
atexit.register(close)
