"""Asks a checkpoint an evalset: `python -m training.eval_generate --checkpoint DIR --evalset F --output F`.

Config and tokenizer are those of the run that the checkpoint belongs to. Exit codes: see training.lifeline.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from training import lifeline
from training.command import outcome
from training.config import TrainConfig
from training.engine.runtime import DEVICES, start_jax
from training.errors import Fault, Invalid
from training.evalsets import read_evalset
from training.examinations import write_rows
from training.shapes import OWN_FAMILY


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.eval_generate", description="Asks a model an evalset.")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="DIR", help="checkpoints/, or one step of it")
    parser.add_argument("--evalset", type=Path, required=True, metavar="FILE")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="one row an item, JSONL")
    parser.add_argument("--device", choices=list(DEVICES), default="auto")
    choice = parser.add_argument_group("how a token is chosen (default: as the run's config says, under eval)")
    choice.add_argument("--temperature", type=float, metavar="T", help="0: the likeliest")
    choice.add_argument("--top_k", type=int, metavar="K", help="draw among the K likeliest tokens")
    choice.add_argument("--top_p", type=float, metavar="P", help="draw among the fewest that hold this probability")
    options = parser.parse_args(argv)
    return outcome(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    items = read_evalset(options.evalset)
    start_jax(options.device)
    from training.engine.evaluate import examine, load_model  # jax may only start once its device is chosen

    model = load_model(options.checkpoint)
    model = replace(model, config=_with_choice(model.config, options))
    rows = examine(model, items, lambda done: lifeline.emit("progress", done=done, total=len(items)))
    write_rows(options.output, rows)
    right = sum(row["correct"] or False for row in rows)
    lifeline.emit("done", step=model.step, right=right, items=len(rows))


def _with_choice(config: TrainConfig, options: argparse.Namespace) -> TrainConfig:
    """The config with what the flags say, checked as what a config says is. Raises Invalid."""
    fields = config.to_dict()
    flags = {name: getattr(options, name) for name in ("temperature", "top_k", "top_p")}
    given = {name: value for name, value in flags.items() if value is not None}
    if given and config.model.family != OWN_FAMILY:
        msg = f"answers of {config.model.family} are the likeliest here; leave --{{}} out"
        raise Invalid(Fault((name,), msg.format(name), "wrong_value") for name in given)
    fields["eval"] |= given
    return TrainConfig.from_dict(fields)


if __name__ == "__main__":
    sys.exit(main())
