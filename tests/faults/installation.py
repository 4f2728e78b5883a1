"""An installation whose runs are dry: tunixrt's real processes, and servers that a test may stop."""

import sys
from pathlib import Path

from tests.faults import dry


def dry_python(home: Path) -> Path:
    """The program that takes the interpreter's place (RUN_PYTHON); it is this interpreter for everything else."""
    program = home / "dry_python"
    program.write_text(
        "#!/bin/sh\n"
        f'case "$1 $2" in "-m training.train_jax"|"-m training.eval_run") exec {sys.executable} -E {dry.__file__} "$@";; esac\n'
        f'exec {sys.executable} "$@"\n'
    )
    program.chmod(0o755)
    return program
