"""Several long-lived processes as one: started together, restarted when they die, stopped together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from django.conf import settings

BACK_OFF_SECONDS = (0.5, 1, 2, 4, 8, 15, 30)
STEADY_SECONDS = 60  # a process that lived this long is forgiven its earlier deaths
STOP_SECONDS = 45


class Fleet:
    """A context manager over named command lines. Call `mend` now and then; leaving the block stops everything.

    Their output goes to `$TUNIXRT_HOME/logs/<name>.log`. SIGTERM first, so that a training seals a checkpoint
    and hands its run back; SIGKILL for what is still there after STOP_SECONDS.
    """

    def __init__(self, commands: Mapping[str, Sequence[str]]):
        self.commands = commands
        self.running: dict[str, subprocess.Popen] = {}
        self.done: set[str] = set()
        self.deaths = dict.fromkeys(commands, 0)
        self.not_before = dict.fromkeys(commands, 0.0)
        self.started_at = dict.fromkeys(commands, 0.0)

    def __enter__(self) -> "Fleet":
        for name in self.commands:
            self._start(name)
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.running.values():
            try:
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def mend(self) -> list[str]:
        """Starts again what died, later and later when it keeps dying. Returns a line for each death.

        What ended with 0 was told to, as a worker that is drained is: it stays down.
        """
        now, lines = time.monotonic(), []
        for name, process in list(self.running.items()):
            if process.poll() == 0:
                self.done.add(name)
                del self.running[name]
                lines.append(f"{name} was told to stop, and stays down until all is started again")
            elif process.poll() is not None:
                steady = now - self.started_at[name] > STEADY_SECONDS
                self.deaths[name] = 1 if steady else self.deaths[name] + 1
                pause = BACK_OFF_SECONDS[min(self.deaths[name], len(BACK_OFF_SECONDS)) - 1]
                self.not_before[name] = now + pause
                del self.running[name]
                lines.append(f"{name} ended with {process.returncode}; again in {pause:g} s. Its log: {self.log(name)}")
        for name in self.commands:
            if name not in self.running and name not in self.done and now >= self.not_before[name]:
                self._start(name)
        return lines

    def log(self, name: str) -> Path:
        return settings.TUNIXRT_HOME / "logs" / f"{name}.log"

    def _start(self, name: str) -> None:
        self.log(name).parent.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as out:
            self.running[name] = _start_process(self.commands[name], out)
        self.started_at[name] = time.monotonic()


def workers_and_sweeper() -> dict[str, list[str]]:
    """The command lines behind the pages: one worker a queue, and the sweeper."""
    python = sys.executable
    worker = [python, "-m", "celery", "-A", "tunixrt", "worker", "-c", "1", "-P", "prefork", "--without-gossip"]
    worker += ["--without-mingle", "-l", "WARNING"]
    return {
        "worker-runs": [*worker, "-Q", "runs", "-n", "runs@%h"],
        "worker-short": [*worker, "-Q", "short", "-n", "short@%h"],
        "sweeper": [python, "manage.py", "sweep"],
    }


def web(address: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "gunicorn",
        "tunixrt.wsgi",
        "--bind",
        address,
        "--workers",
        "1",
        "--threads",
        "8",
        "--timeout",
        "120",
    ]


def _start_process(argv: Sequence[str], out: IO[bytes]) -> subprocess.Popen:
    environment = os.environ | {"TUNIXRT_HOME": str(settings.TUNIXRT_HOME), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        argv,
        cwd=settings.BASE_DIR,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C reaches only the parent, which stops them in order
    )
