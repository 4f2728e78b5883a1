"""Writes a checkpoint as a directory that `transformers` loads: `python -m training.export_weights --checkpoint DIR
--output DIR`.

Tokenizer and shape are those of the run that the checkpoint belongs to. Exit codes: see training.lifeline.
"""

import argparse
import sys
from pathlib import Path

from training import lifeline
from training.command import outcome
from training.engine.runtime import start_jax
from training.errors import Fault, Invalid
from training.shapes import OWN_FAMILY


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.export_weights", description="Publishes a model.")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="DIR", help="checkpoints/, or one step of it")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new directory")
    options = parser.parse_args(argv)
    return outcome(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    if options.output.exists():
        msg = f"{options.output} is there already; give another --output"
        raise Invalid(Fault(("output",), msg, "output_exists"))
    start_jax("cpu")
    from training.engine.evaluate import load_model  # jax may only start once its device is chosen
    from training.engine.weights import save_published

    model = load_model(options.checkpoint)
    if model.form is not None:
        msg = f"{options.checkpoint} is a {model.config.model.family}; only {OWN_FAMILY} is written as published"
        raise Invalid(Fault(("model", "family"), msg, "wrong_value"))
    save_published(options.output, model.params, model.shape, model.tokenizer)
    lifeline.emit("done", step=model.step, message=f"wrote {options.output}")


if __name__ == "__main__":
    sys.exit(main())
