"""Teaches a model a dataset by Google Tunix: as `python -m training.train_jax`, with the same flags and files.

Wants an environment that has Tunix: docs/tunix.md. Exit codes: see training.lifeline.
"""

import sys

from training.engines import TUNIX
from training.train_jax import train_by


def main(argv: list[str] | None = None) -> int:
    return train_by(TUNIX, argv)


if __name__ == "__main__":
    sys.exit(main())
