"""Contestants that are timed from the start of their process: a round is a process, up to what it was started for."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from training.bench.material import dataset_rows
from training.bench.wire import ROOT, Absent, Arrays, Contestant, Round, same_threads
from training.files import write_lines_atomic

CONFIG = {"training": {"steps": 50, "seed": 0}, "tokenizer": {"vocab_size": 512}}


class _Homed:
    """Has a `TUNIXRT_HOME` of its own, with the compilation cache in it."""

    versions: dict[str, str]

    def __enter__(self) -> Self:
        self.versions, self._stack = {}, ExitStack()
        self._home = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class Start(_Homed):
    """Any contestant that does its work once and ends. Without `keep_cache` every round compiles anew."""

    def __init__(self, kind: str, job: Mapping[str, Any], arrays: Arrays, *, keep_cache: bool):
        self._kind, self._job, self._arrays, self._keep_cache = kind, job, arrays, keep_cache

    def round(self) -> Round:
        with tempfile.TemporaryDirectory(dir=self._home) as fresh:
            home = str(self._home) if self._keep_cache else fresh
            environment = {"TUNIXRT_HOME": home, **(jax_cache(home) if self._keep_cache else {})}
            with Contestant(self._kind, self._job, self._arrays, environment=environment) as one:
                done = one.round()
                self.versions |= one.versions
                return done | {"seconds": time.perf_counter() - one.began}


class Run(_Homed):
    """To the first update of a run: `train_jax` as a worker starts it, or a script without any of that."""

    def __init__(self, *, supervised: bool):
        self._supervised = supervised

    def __enter__(self) -> Self:
        super().__enter__()
        (self._home / "config.json").write_text(json.dumps(CONFIG))
        write_lines_atomic(self._home / "rows.jsonl", (json.dumps(row) + "\n" for row in dataset_rows()))
        return self

    def round(self) -> Round:
        module = "training.train_jax" if self._supervised else "training.bench.bare_run"
        with tempfile.TemporaryDirectory(dir=self._home) as directory:
            command = [sys.executable, "-m", module, "--config", str(self._home / "config.json")]
            command += ["--data", str(self._home / "rows.jsonl"), "--output", f"{directory}/run"]
            environment = os.environ | same_threads() | {"TUNIXRT_HOME": str(self._home), "PYTHONUNBUFFERED": "1"}
            if self._supervised:
                environment |= {"TUNIXRT_SUPERVISED": "1", "TUNIXRT_SILENCE_SECONDS": "600"}
            begin = time.perf_counter()
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            try:
                for line in process.stdout or ():
                    if json.loads(line).get("message") == "training":  # said once the first update is computed
                        return {"seconds": time.perf_counter() - begin}
            finally:
                process.kill()
                process.communicate()
        raise Absent(f"its process ended with exit code {process.returncode}")


def jax_cache(directory: str) -> dict[str, str]:
    """Makes jax keep every compiled program in `directory`, also where nobody asks it to in a program."""
    smallest = {"MIN_COMPILE_TIME_SECS": "0", "MIN_ENTRY_SIZE_BYTES": "0"}
    limits = {f"JAX_PERSISTENT_CACHE_{name}": value for name, value in smallest.items()}
    return {"JAX_COMPILATION_CACHE_DIR": directory, **limits}
