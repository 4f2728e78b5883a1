"""From `launch_run` to a run's first update, through the real queue: `python -m tests.benchmarks.launch`.

On the embedded default (SQLite, file broker) with one worker that is up; beside a bare script that does the same first
update on the same rows. `launch_warm`: both find their programs compiled; `launch_cold`: neither does. A B A B …,
medians.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from tests.needs import ROOT
from tests.stack import Stack, eventually, stack
from training.bench.bars import Bar

CONFIG = {"training": {"steps": 1000}, "eval": {"every": 1000}}
BAR = Bar(1.3, 1.1, at_most=True)
ENDED = {"cancelled", "completed", "training_failed", "evaluation_failed"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, stack(Path(directory) / "home", "embedded") as installation:
        (installation.home / "config.json").write_text(json.dumps(CONFIG))
        installation.manage("seed_dataset", "--dataset", "golden-v2")
        installation.start_worker()
        rows = [compared(installation, options.rounds, cold=cold) for cold in (False, True)]
    lines = ["  ".join(f"{name} {value}" for name, value in row.items()) for row in rows]
    print(json.dumps({"rows": rows}) if options.json else "\n".join(lines))
    return 0


def compared(installation: Stack, rounds: int, *, cold: bool) -> dict[str, Any]:
    """The row of one temperature of the compile cache. The first round, in which it may be anything, does not count."""

    def measured(way: Callable[[Stack], float]) -> float:
        if cold:
            for path in (installation.home / "compile_cache").iterdir():
                shutil.rmtree(path)
        return way(installation)

    turns = [(measured(launched), measured(bare)) for _ in range(rounds + 1)][1:]
    ours, theirs = (median(times) for times in zip(*turns, strict=True))
    row = {"work": f"launch_{'cold' if cold else 'warm'}", "peer": "bare", "unit": "s"}
    return row | {"ours": ours, "theirs": theirs, "ratio": ours / theirs, "bar": BAR.judged(ours / theirs)}


def launched(installation: Stack) -> float:
    """Seconds from the moment a run is stored to the line of its first update."""
    config = str(installation.home / "config.json")
    run = installation.ask("launch_run", "--dataset", "golden-v2", "--config", config, "--seed", "1")
    metrics = installation.home / "artifacts" / "training_runs" / run["id"] / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.005)
    seconds = time.time() - datetime.fromisoformat(run["created_at"]).timestamp()
    installation.manage("cancel_run", run["id"])
    eventually(lambda: installation.status(run["id"]) in ENDED, 120, "the run is cancelled")
    return seconds


def bare(installation: Stack) -> float:
    """Seconds from the start of the script to its first update."""
    rows = installation.home / "datasets" / "golden-v2" / "dataset.jsonl"
    command = [sys.executable, "-m", "training.bench.bare_run"]
    command += ["--config", str(installation.home / "config.json"), "--data", str(rows)]
    begin = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=installation.environment, check=True, capture_output=True)
    return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main())
