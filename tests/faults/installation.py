"""An installation whose runs are dry: tunixrt's real processes, and servers that a test may stop."""

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults.invariants import FINAL, living, violations
from tests.faults.servers import Postgres, Redis
from tests.needs import ROOT
from tests.stack import Stack, eventually

DATASET = "chain-v1"
SETTINGS = {
    "RUN_HEARTBEAT_SECONDS": "1",
    "RUN_LEASE_SECONDS": "4",
    "RUN_GRACE_SECONDS": "3",
    "RUN_STALL_SECONDS": "3",
    "RUN_DEVICE": "cpu",
    "DISK_RESERVE_BYTES": "0",
}
LEASE = 4


@dataclass
class Installation(Stack):
    """A stack whose trainers are `tests.faults.dry`. `fate` says what happens to the run of a seed."""

    redis: Redis | None = None
    postgres: Postgres | None = None
    seeds: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def tell(self, expression: str) -> Any:
        """The value of an expression in a process of this installation; see tests.faults.hand."""
        if "hand" not in self.processes:
            argv, pipes = [sys.executable, "-m", "tests.faults.hand"], {"stdin": subprocess.PIPE}
            log = (self.home / "hand.log").open("ab")
            self.processes["hand"] = subprocess.Popen(
                argv, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True, **pipes
            )
        hand = self.processes["hand"]
        print(json.dumps(expression), file=hand.stdin, flush=True)
        answer = json.loads(hand.stdout.readline())
        assert "error" not in answer, f"{expression}: {answer['error']}"
        return answer["value"]

    def launch(self, *, steps: int = 24, every: int = 4, **fate: Any) -> str:
        """Launches a run with a fate of its own."""
        seed = next(self.seeds)
        self.fate(seed, **fate)
        return self.tell(f"looking.launch({DATASET!r}, {seed}, {steps}, {every})")

    def fate(self, seed: int, **fate: Any) -> None:
        (self.home / "dry").mkdir(exist_ok=True)
        aside = self.home / "dry" / f".{seed}"
        aside.write_text(json.dumps(fate))
        aside.rename(self.home / "dry" / f"{seed}.json")

    def seed(self, run_id: str) -> int:
        return self.look(run_id)["seed"]

    def ask_web(
        self, method: str, path: str, body: object = None, timeout: float = 30, headers: dict[str, str] | None = None
    ) -> "Answer":
        """What the web server answers to a person with a token."""
        if "web" not in self.processes:
            self.address = self.start_web()
            self.somebody = self.tell("looking.somebody()")
        said = self.somebody | {"Content-Type": "application/json"} | (headers or {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, said, method=method)
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                status, answered, text = response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            status, answered, text = error.code, error.headers, error.read()
        return Answer(status, dict(answered), text.decode(), time.monotonic() - began)

    def submit(self, *, steps: int = 8, **fate: Any) -> "Answer":
        """Launches a run over HTTP."""
        seed = next(self.seeds)
        self.fate(seed, **fate)
        config = {
            "model": {"size": "tiny"},
            "tokenizer": {"vocab_size": 300},
            "training": {"steps": steps, "batch_size": 2},
            "checkpoint": {"every": 4},
        }
        return self.ask_web("POST", "/api/runs", {"dataset_key": DATASET, "config": config, "seed": seed})

    def cancel(self, run_id: str) -> str:
        return self.tell(f"looking.cancel({run_id!r})")

    def look(self, run_id: str) -> dict[str, Any]:
        return self.tell(f"looking.look({run_id!r})")

    def directory(self, run_id: str) -> Path:
        return self.home / "artifacts" / "training_runs" / run_id

    def updates(self, run_id: str) -> int:
        """How many updates its curve has now."""
        file = self.directory(run_id) / "metrics.jsonl"
        return file.read_bytes().count(b"\n") if file.exists() else 0

    def under_way(self, run_id: str, updates: int = 6) -> None:
        eventually(lambda: self.updates(run_id) >= updates, 60, f"run {run_id} has done {updates} updates")

    def trainer(self, run_id: str) -> int:
        """The process that trains or examines a run now, as it noted itself. Raises LookupError when there is none."""
        pid = int((self.home / "dry" / f"{run_id}.lives").read_text().split()[-1])
        if pid not in living(run_id):
            raise LookupError(f"nobody trains {run_id}")
        return pid

    def trainers(self, run_id: str) -> int:
        """How many have trained it so far."""
        return (self.home / "dry" / f"{run_id}.lives").read_text().count("start train")

    def worker_of(self, run_id: str) -> str:
        """The name of the worker that holds a run."""
        pid = int(self.tell(f"jobs.Job.objects.for_target({run_id!r}).first().worker").rpartition(":")[2])
        return next(name for name, process in self.processes.items() if process.pid == pid)

    def pool_child_of(self, run_id: str) -> int:
        """The process that supervises its trainer."""
        return parent_of(self.trainer(run_id))

    def leave(self, name: str) -> subprocess.Popen:
        """A process that is about to end by itself, out of the way of the next one of its name."""
        process = self.processes.pop(name)
        self.processes[f"{name} {process.pid}"] = process
        return process

    def ended(self, run_id: str, seconds: float = 60) -> dict[str, Any]:
        """What is known of a run when it has ended, with nothing about it that must not be."""
        eventually(lambda: self.status(run_id) in FINAL, seconds, f"run {run_id} ends")
        seen = self.look(run_id)
        with contextlib.suppress(AssertionError):  # a process that was ended is gone a moment later
            eventually(lambda: not violations(seen, self.home), 2, "all is well")
        assert not violations(seen, self.home), f"{violations(seen, self.home)}\n{json.dumps(seen, indent=1)}"
        return seen

    def completed(self, run_id: str, seconds: float = 60) -> dict[str, Any]:
        seen = self.ended(run_id, seconds)
        assert seen["status"] == "completed", seen["error"]
        return seen

    def work_force(self, *names: str) -> None:
        """Starts those of the workers that are not there, and the sweeper."""
        for name in names:
            if name not in self.processes or self.processes[name].poll() is not None:
                self.start_worker(name)
        if "sweeper" not in self.processes or self.processes["sweeper"].poll() is not None:
            self.start_sweeper()

    def stop(self) -> None:
        hand = self.processes.pop("hand", None)
        if hand:
            hand.kill()
            hand.wait()
        super().stop()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@contextlib.contextmanager
def installation(kind: str) -> Iterator[Installation]:
    """A migrated installation with a dataset, `kind` "embedded" or "services", the latter with servers of its own."""
    top = Path(tempfile.mkdtemp(prefix="tunixrt-faults-"))
    top.chmod(0o755)  # PostgreSQL runs as another user when the tests run as root
    home = top / "home"
    home.mkdir()
    environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "CELERY_BROKER_URL")}
    environment |= SETTINGS | {"TUNIXRT_HOME": str(home), "RUN_PYTHON": str(dry_python(home))}
    environment |= {"DJANGO_SETTINGS_MODULE": "tunixrt.settings", "LOG_LEVEL": "INFO"}
    made = Installation(home, environment)
    try:
        if kind == "services":
            made.redis, made.postgres = Redis(top), Postgres(top)
            environment |= {"DATABASE_URL": made.postgres.url, "CELERY_BROKER_URL": made.redis.url}
        made.manage("migrate", "--verbosity", "0")
        made.manage("seed_dataset", "--dataset", DATASET, "--count", "60")
        yield made
    finally:
        made.stop()
        if made.redis:
            made.redis.kill()
        if made.postgres:
            with contextlib.suppress(subprocess.CalledProcessError):
                made.postgres.stop()
        shutil.rmtree(top, ignore_errors=True)


def parent_of(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(re.search(r"PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])
    return 0


def signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def dry_python(home: Path) -> Path:
    """The program that takes the interpreter's place (RUN_PYTHON); it is this interpreter for everything else."""
    program, dry = home / "dry_python", Path(__file__).with_name("start_dry.py")
    program.write_text(
        f"""#!/bin/sh
case "$1 $2" in "-m training.train_jax"|"-m training.eval_run") exec {sys.executable} -E {dry} "$@";; esac
exec {sys.executable} "$@"
"""
    )
    program.chmod(0o755)
    return program
