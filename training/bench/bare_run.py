"""The first update of a run and nothing else: what `start_run` is compared with. Takes train_jax's options."""

import argparse
import json
from pathlib import Path

from training.config import load_config
from training.dataset_file import read_dataset
from training.engine.runtime import start_jax
from training.plan import prepare, training_data


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("config", "data", "output"):  # output: accepted, nothing is written
        parser.add_argument(f"--{name}", type=Path)
    options = parser.parse_args()
    start_jax("cpu")
    from training.engine.loop import own_engine

    config = load_config(options.config).resolved()
    prepared = prepare(config, read_dataset(options.data))
    learner = own_engine(config, prepared.tokenizer.vocab_size, 1)
    _, metrics = learner.step(learner.fresh(), training_data(config, prepared.train).batch(0))
    float(metrics["loss"])
    print(json.dumps({"message": "training"}), flush=True)


if __name__ == "__main__":
    main()
