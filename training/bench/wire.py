"""A contestant is a process of its own that gets ready and then does a round whenever it is asked for one.

All are treated alike: the same cores, the same weights and data (a file of arrays), and nothing runs between rounds but
the one whose turn it is. `python -m training.bench.wire KIND JOB.npz` is the process, KIND a module of this package and
a function in it that takes the job, its arrays and a `Desk`.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self, TextIO, cast

import numpy as np

from training.lifeline import Failure

ROOT = Path(__file__).parents[2]
PEER_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
LAST_LINE = {"JAX_TRACEBACK_FILTERING": "off"}  # lets the error be the last line of a log
OURS = "ours"  # the module whose contestants run in our own environment

Arrays = Mapping[str, np.ndarray]
Round = dict[str, Any]  # "seconds", what was "done" in them, "peak_bytes" so far, and the "losses" or "tokens"


class Absent(Exception):
    """There is nobody to compare with; the message says why."""


class Contestant:
    """The parent's end: `with Contestant(…) as one: one.round()`. Raises Absent when it is missing or breaks down."""

    def __init__(self, kind: str, job: Mapping[str, Any], arrays: Arrays, *, environment: Mapping[str, str] = {}):
        self._kind, self._job, self._arrays, self._environment = kind, job, arrays, environment
        self.versions: dict[str, str] = {}

    def __enter__(self) -> Self:
        python = Path(sys.executable) if self._kind.startswith(OURS) else PEER_PYTHON
        if not python.exists():
            raise Absent("not installed; `make peers` installs it")
        self._directory = tempfile.TemporaryDirectory()
        folder = Path(self._directory.name)
        np.savez(folder / "job.npz", job=np.array(json.dumps(self._job)), allow_pickle=False, **self._arrays)
        command = [str(python), "-m", "training.bench.wire", self._kind, str(folder / "job.npz")]
        self.began = time.perf_counter()
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **same_threads(), **LAST_LINE, **self._environment},
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._ask, self._answers = cast(TextIO, self._process.stdin), cast(TextIO, self._process.stdout)
        try:
            self.versions = self._read()["versions"]
        except Absent:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # whatever it was to bring, it brought; some do not end with their input
        self._process.communicate()
        self._directory.cleanup()

    def round(self) -> Round:
        with suppress(BrokenPipeError):  # it is gone: there is no answer to read either
            print(file=self._ask, flush=True)
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            log = (Path(self._directory.name) / "log").read_text(errors="replace").strip().splitlines()
            last = f": {log[-1][:200]}" if log else ""
            raise Absent(f"its process ended with exit code {self._process.wait()}{last}")
        return json.loads(line)


class Desk:
    """The contestant's end. What libraries print goes to the log; only answers reach the parent."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def ready(self, *libraries: str) -> None:
        self._say({"versions": {name: version(name) for name in libraries}})

    def asked(self) -> bool:
        """Waits for the next turn; False when there is none."""
        return bool(sys.stdin.readline())

    def answer(self, done: Round) -> None:
        self._say(done | {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024})

    def serve(self, one_round: Callable[[], Round]) -> None:
        while self.asked():
            self.answer(one_round())

    def _say(self, message: Mapping[str, Any]) -> None:
        print(json.dumps(message), file=self._out, flush=True)


def timed_answers(answers: Callable[[], list[list[int]]]) -> Round:
    """A round of generation: `answers` writes them all."""
    begin = time.perf_counter()
    tokens = answers()
    return {"seconds": time.perf_counter() - begin, "done": sum(map(len, tokens)), "tokens": tokens}


def cut(answer: list[int], stop_id: int) -> list[int]:
    """What an answer said before it stopped."""
    return answer[: answer.index(stop_id)] if stop_id in answer else answer


def cores() -> int:
    """Those that this process and its contestants may use."""
    return len(os.sched_getaffinity(0))


def same_threads() -> dict[str, str]:
    """Every library computes with as many threads as there are cores; left alone, some take half of them."""
    threads = str(cores())
    return {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"}


def main(kind: str, file: str) -> None:
    desk = Desk()
    with np.load(file) as stored:
        arrays = dict(stored)
    module, function = kind.split(":")
    prepare = getattr(import_module(f"training.bench.{module}"), function)
    try:
        prepare(json.loads(str(arrays.pop("job"))), arrays, desk)
    except Failure as failure:
        raise SystemExit(failure.message)


if __name__ == "__main__":
    main(*sys.argv[1:])
