"""Examines a run before and after: `python -m training.eval_run --run RUN_DIR --evalset F`.

Writes eval_before.jsonl, eval_after.jsonl, eval.json and delta_report.md into the run's directory; with `--step N`,
eval_step_<n>.jsonl and .json for that checkpoint. Exit codes: see training.lifeline.
"""

import argparse
import sys
from pathlib import Path

from training.command import outcome
from training.engine.runtime import DEVICES, start_jax
from training.evalsets import read_evalset
from training.lifeline import run_lock
from training.record import read_record, recorded_cores


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.eval_run", description="Examines a run before and after.")
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="the run's directory")
    parser.add_argument("--evalset", type=Path, required=True, metavar="FILE")
    parser.add_argument("--name", help="what reports call the evalset; its file's name when not given")
    parser.add_argument("--step", type=int, help="examine this checkpoint only")
    parser.add_argument("--device", choices=list(DEVICES), default="auto")
    options = parser.parse_args(argv)
    return outcome(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    record = read_record(options.run)  # a directory without a run is refused before anything is written into it
    items = read_evalset(options.evalset)
    start_jax(options.device, cores=recorded_cores(record))
    from training.engine.evaluate import examine_run  # jax may only be imported once its device is chosen

    with run_lock(options.run):
        examine_run(options.run, items, evalset=options.name or options.evalset.stem, step=options.step)


if __name__ == "__main__":
    sys.exit(main())
