"""Writes a checkpoint as a directory that `transformers` loads: `python -m training.export_weights --checkpoint DIR
--output DIR`.

Tokenizer and shape are those of the run that the checkpoint belongs to. Exit codes: see training.lifeline.
"""

import sys
from pathlib import Path

from training.errors import Fault, Invalid
from training.exporting import export
from training.shapes import OWN_FAMILY


def main(argv: list[str] | None = None) -> int:
    return export(argv, "export_weights", "Publishes a model.", _write)


def _write(checkpoint: Path, output: Path) -> int:
    from training.engine.evaluate import load_model  # jax may only start once its device is chosen
    from training.engine.weights import save_published

    model = load_model(checkpoint)
    if model.form is not None:
        msg = f"{checkpoint} is a {model.config.model.family}; only {OWN_FAMILY} is written as published"
        raise Invalid(Fault(("model", "family"), msg, "wrong_value"))
    save_published(output, model.params, model.shape, model.tokenizer)
    return model.step


if __name__ == "__main__":
    sys.exit(main())
