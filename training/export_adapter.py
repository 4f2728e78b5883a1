"""Writes the adapters of a checkpoint in PEFT's format: `python -m training.export_adapter --checkpoint DIR
--output DIR`.

`training.export_weights` writes the whole model, adapters merged into it. Exit codes: see training.lifeline.
"""

import sys
from pathlib import Path

from training.exporting import export


def main(argv: list[str] | None = None) -> int:
    return export(argv, "export_adapter", "Publishes adapters.", _write)


def _write(checkpoint: Path, output: Path) -> int:
    from training.engine.adapter_files import save_adapter
    from training.engine.evaluate import load_adapters  # jax may only start once its device is chosen

    step, adapters, lora, weights = load_adapters(checkpoint)
    save_adapter(output, adapters, lora, base=weights)
    return step


if __name__ == "__main__":
    sys.exit(main())
