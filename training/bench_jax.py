"""Our engine beside others on the same work, in one call: `python -m training.bench_jax`.

Times depend on the machine and the hour, so a figure is a ratio: every contestant is a process of its own, all do a
round in turn, A B A B …, and medians are compared. All start from the same weights and get the same data, and each row
says whether they computed the same. docs/benchmarks.md explains the rows.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from training.bench.report import table
from training.bench.setting import setting_of
from training.bench.turns import Row
from training.bench.works import on_gpu, works
from training.command import outcome
from training.errors import Fault, Invalid, echo
from training.machine import machine

LIBRARIES = ("jax", "jaxlib", "flax")
MEASURED = ("cpu", "gpu")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench_jax", description="Speed beside others, measured in turn.")
    parser.add_argument("--config", type=Path, help="measure the model, batch and length of this config")
    parser.add_argument("--work", action="append", metavar="NAME", help="only this work, e.g. train_1m; repeatable")
    parser.add_argument("--rounds", type=_rounds, default=5, help="rounds of each contestant (default %(default)s)")
    parser.add_argument("--device", choices=MEASURED, default="cpu", help="gpu: published sizes in bfloat16")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    return outcome(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    setting = setting_of(options.config, options.rounds, options.device)
    offered = on_gpu() if options.device == "gpu" else works(setting)
    chosen = options.work or list(offered)
    for name in chosen:
        if name not in offered:
            msg = f"{echo(name)} is no work; choose from {', '.join(offered)}"
            raise Invalid(Fault(("--work",), msg, "unknown_value"))
    place = machine() | {"load": round(os.getloadavg()[0], 1), "rounds": options.rounds}
    rows: list[Row] = []
    for name in chosen:
        print(f"{name} …", file=sys.stderr, flush=True)
        rows += offered[name](setting)
    versions = {library: version(library) for library in LIBRARIES} | setting.versions
    result = {"machine": place, "versions": versions, "rows": [asdict(row) for row in rows]}
    print(json.dumps(result, indent=2) if options.json else table(rows, place, versions))


def _rounds(text: str) -> int:
    rounds = int(text)
    if not 1 <= rounds <= 1000:
        raise argparse.ArgumentTypeError("must lie between 1 and 1000")
    return rounds


if __name__ == "__main__":
    raise SystemExit(main())
