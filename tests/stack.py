"""tunixrt as a person runs it: commands, web server, workers and sweeper as processes of their own."""

import contextlib
import functools
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

from tests.needs import DATABASE_URL, REDIS_URL, ROOT


@dataclass
class Stack:
    """One installation in a directory of its own, on the embedded default or on PostgreSQL and Redis."""

    home: Path
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)

    def manage(self, *arguments: str, code: int = 0) -> str:
        """Runs a command and returns what it printed; fails unless it exits with `code`."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def ask(self, *arguments: str) -> dict:
        """A command's `--json` answer."""
        return json.loads(self.manage(*arguments, "--json").splitlines()[-1])

    def shell(self, expression: str) -> object:
        """The value of an expression over the models, as JSON."""
        rooms = "from runs.models import *; from tunixrt.jobs.models import *"
        lines = f"import json; {rooms}; print(json.dumps({expression}, default=str))"
        return json.loads(self.manage("shell", "--no-imports", "-c", lines).splitlines()[-1])

    def run(self, run_id: str) -> dict:
        return next(run for run in self.ask("list_runs")["runs"] if run["id"] == run_id)

    def status(self, run_id: str) -> str:
        """A run's status straight from the database: a command takes a second, in which much can happen."""
        if url := self.environment.get("DATABASE_URL"):
            with psycopg.connect(url) as server:
                return server.execute("SELECT status FROM runs_run WHERE id = %s", [run_id]).fetchone()[0]
        with contextlib.closing(sqlite3.connect(self.home / "db.sqlite3", timeout=20)) as file:
            return file.execute("SELECT status FROM runs_run WHERE id = ?", [uuid.UUID(run_id).hex]).fetchone()[0]

    def start(self, name: str, *argv: str) -> subprocess.Popen:
        log = (self.home / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            [sys.executable, *argv], cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        return self.processes[name]

    def start_worker(self, name: str = "worker") -> subprocess.Popen:
        options = ("-c", "1", "-Q", "runs,short", "--without-gossip", "--without-mingle", "-n", f"{name}@%h")
        return self.start(name, "-m", "celery", "-A", "tunixrt", "worker", *options)

    def start_sweeper(self) -> subprocess.Popen:
        return self.start("sweeper", "manage.py", "sweep", "--seconds", "0.3")

    def start_web(self) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.start("web", "-m", "gunicorn", "tunixrt.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4")
        eventually(lambda: _listening(port), 30, "the web server answers")
        return f"http://127.0.0.1:{port}"

    def kill(self, name: str) -> None:
        """kill -9 of a process and everything in its group, as an out-of-memory killer or a power cut would."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)


@contextlib.contextmanager
def stack(home: Path, kind: str, *, migrated: bool = True) -> Iterator[Stack]:
    """An installation, `kind` "embedded" or "services"; everything it started is gone afterwards."""
    home.mkdir()
    (home / "compile_cache").symlink_to(_compiled())
    database = f"tunixrt_test_{uuid.uuid4().hex[:12]}"
    environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "CELERY_BROKER_URL")}
    environment |= {
        "TUNIXRT_HOME": str(home),
        "RUN_HEARTBEAT_SECONDS": "1",
        "RUN_LEASE_SECONDS": "4",
        "RUN_GRACE_SECONDS": "3",
        "DISK_RESERVE_BYTES": "0",
    }
    if kind == "services":
        _on_server(f'CREATE DATABASE "{database}"')
        redis.Redis.from_url(REDIS_URL).delete("runs", "short")
        parts = urlsplit(DATABASE_URL)
        environment["DATABASE_URL"] = urlunsplit(parts._replace(path=f"/{database}"))
        environment["CELERY_BROKER_URL"] = REDIS_URL
    made = Stack(home, environment)
    try:
        if migrated:
            made.manage("migrate", "--verbosity", "0")
        yield made
    finally:
        made.stop()
        if kind == "services":
            _on_server(f'DROP DATABASE "{database}" WITH (FORCE)')


def eventually(condition: Callable[[], object], seconds: float, what: str) -> object:
    """Waits until `condition` is true and returns its value; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


@functools.cache
def _compiled() -> str:
    """What one test has compiled the next one need not: ten seconds a test."""
    return tempfile.mkdtemp(prefix="tunixrt-compiled-")


def _on_server(statement: str) -> None:
    with psycopg.connect(DATABASE_URL, autocommit=True) as connection:
        connection.execute(statement)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
