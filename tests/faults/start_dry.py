"""Starts `tests.faults.dry` as a supervisor starts an interpreter: `start_dry.py -m training.train_jax …`."""

import sys
from pathlib import Path
from types import ModuleType

# Imported, not used: a third of a second.
HEAVY = ("training.plan", "training.ledger", "training.tensor_files", "training.published")


class Unused(ModuleType):
    """Takes the place of a library that is imported and not used here: a third of a second a start."""

    def __getattr__(self, name: str) -> "Unused":
        if name.startswith("__"):
            raise AttributeError(name)
        return Unused(name)

    def __call__(self, *arguments: object) -> "Unused":
        return self

    __or__ = __ror__ = __getitem__ = __call__


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    sys.modules |= {name: Unused(name) for name in HEAVY}
    from tests.faults.dry import main

    sys.exit(main(sys.argv))
