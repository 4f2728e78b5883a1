"""What the commands that publish a checkpoint share: their options, a refusal to write over anything, how they end."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from training import lifeline
from training.command import outcome
from training.engine.runtime import start_jax
from training.errors import Fault, Invalid

Export = Callable[[Path, Path], int]  # writes a checkpoint into a new directory and returns its step


def export(argv: Sequence[str] | None, name: str, description: str, write: Export) -> int:
    """Reads the options of `training.<name>`, starts jax on the CPU, has `write` do its work; returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m training.{name}", description=description)
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="DIR", help="checkpoints/, or one step of it")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new directory")
    options = parser.parse_args(argv)
    return outcome(lambda: _run(options.checkpoint, options.output, write))


def _run(checkpoint: Path, output: Path, write: Export) -> None:
    if output.exists():
        msg = f"{output} is there already; give another --output"
        raise Invalid(Fault(("output",), msg, "output_exists"))
    start_jax("cpu")
    lifeline.emit("done", step=write(checkpoint, output), message=f"wrote {output}")
