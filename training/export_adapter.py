"""Writes the adapters of a checkpoint in PEFT's format: `python -m training.export_adapter --checkpoint DIR
--output DIR`.

`training.export_weights` writes the whole model, adapters merged into it. Exit codes: see training.lifeline.
"""

import argparse
import sys
from pathlib import Path

from training import lifeline
from training.command import outcome
from training.engine.runtime import start_jax
from training.errors import Fault, Invalid


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.export_adapter", description="Publishes adapters.")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="DIR", help="checkpoints/, or one step of it")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new directory")
    options = parser.parse_args(argv)
    return outcome(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    if options.output.exists():
        msg = f"{options.output} is there already; give another --output"
        raise Invalid(Fault(("output",), msg, "output_exists"))
    start_jax("cpu")
    from training.engine.adapter_files import save_adapter
    from training.engine.evaluate import load_adapters  # jax may only start once its device is chosen

    step, adapters, lora, weights = load_adapters(options.checkpoint)
    save_adapter(options.output, adapters, lora, base=weights)
    lifeline.emit("done", step=step, message=f"wrote {options.output}")


if __name__ == "__main__":
    sys.exit(main())
