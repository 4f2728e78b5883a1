"""Asks a checkpoint an evalset: `python -m training.eval_generate --checkpoint DIR --evalset F --output F`.

Config and tokenizer are those of the run that the checkpoint belongs to. Exit codes: see training.lifeline.
"""

import argparse
import sys
from pathlib import Path

from training import lifeline
from training.command import outcome
from training.engine.runtime import DEVICES, start_jax
from training.evalsets import read_evalset


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.eval_generate", description="Asks a model an evalset.")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="DIR", help="checkpoints/, or one step of it")
    parser.add_argument("--evalset", type=Path, required=True, metavar="FILE")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="one row an item, JSONL")
    parser.add_argument("--device", choices=list(DEVICES), default="auto")
    options = parser.parse_args(argv)
    return outcome(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    items = read_evalset(options.evalset)
    start_jax(options.device)
    from training.engine.evaluate import examine, load_model, write_rows  # jax may only start once its device is chosen

    model = load_model(options.checkpoint)
    rows = examine(model, items, lambda done: lifeline.emit("progress", done=done, total=len(items)))
    write_rows(options.output, rows)
    right = sum(row["correct"] or False for row in rows)
    lifeline.emit("done", step=model.step, right=right, items=len(rows))


if __name__ == "__main__":
    sys.exit(main())
