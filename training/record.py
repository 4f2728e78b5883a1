"""run.json: everything that is needed to do a run again."""

import json
import platform
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from training.config import MICROBATCH, TrainConfig
from training.errors import Fault, Invalid
from training.files import write_json_atomic
from training.home import REPOSITORY
from training.machine import cores_to_use, machine, told
from training.published import find_weights, fingerprint
from training.shapes import ModelShape
from training.tensor_files import check_weights

RECORD, TOKENIZER, CHECKPOINTS = "run.json", "tokenizer.json", "checkpoints"  # in a run's directory
FORMAT_VERSION = 1
COMMON = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "tokenizers", "numpy")
LIBRARIES = {"jax": COMMON, "tunix": (*COMMON, "google-tunix", "qwix")}


def new_record(
    config: TrainConfig,
    *,
    run_id: str,
    dataset_key: str | None,
    dataset_sha256: str,
    parent: str | None,
    engine: str = "jax",
    microbatch: int | None = None,
    cores: int | None = None,
    data: Path | None = None,
) -> dict[str, Any]:
    """The record of a run of a resolved config that starts now, on so many cores of this machine.

    Its `microbatch` is the one given over the config's; None: training chooses it and writes it down. `data` is the
    file of rows where they are no frozen dataset.
    """
    return {
        "format_version": FORMAT_VERSION,
        "run_id": run_id,
        "engine": engine,
        "dataset_key": dataset_key,
        "data": str(data.absolute()) if data else None,
        "dataset_sha256": dataset_sha256,
        "recipe": config.data.recipe,
        "instruction": config.data.system_instruction,
        "config": config.to_dict(),
        "config_sha256": config.sha256(),
        "seed": config.training.seed,
        "microbatch": microbatch or config.training.microbatch,
        "weights": describe_weights(config),
        "parent": parent,
        "code_version": code_version(),
        "libraries": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES[engine]}},
        "machine": machine(cores or cores_to_use()),
        "environment": told(),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def describe_weights(config: TrainConfig) -> dict[str, Any] | None:
    """What the weights of a config are: name, SHA-256 of each file, shape. Reads the files whole. Raises Invalid."""
    if config.model.weights is None:
        return None
    shape = check_weights(config.model.weights, config.model.family)
    files = fingerprint(find_weights(config.model.weights))
    return {"name": config.model.weights, "files": files, "shape": shape and asdict(shape)}


def recorded_shape(record: dict[str, Any], vocab_size: int) -> ModelShape:
    """The model of a run whose tokenizer has `vocab_size` tokens; its weights need not be installed any more."""
    weights = record.get("weights")
    if weights and weights["shape"]:
        return ModelShape(**weights["shape"])
    return TrainConfig.from_dict(record["config"]).shape(vocab_size)


def recorded_microbatch(record: dict[str, Any], config: TrainConfig) -> int | None:
    """Sequences that a run of `config` computes at once; None while nobody has chosen."""
    before_it_was_chosen = config.training.microbatch or MICROBATCH
    return record.get("microbatch", before_it_was_chosen)


def recorded_cores(record: dict[str, Any]) -> int | None:
    """Cores that computed a run; None where an older program did not write it down."""
    return record.get("machine", {}).get("cores")


def write_record(run_dir: Path, record: dict[str, Any]) -> None:
    write_json_atomic(run_dir / RECORD, record)


def read_record(run_dir: Path) -> dict[str, Any]:
    """The record of a run. Raises Invalid when there is none or a newer version of this program wrote it."""
    path = run_dir / RECORD
    try:
        record = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise Invalid(Fault(("run",), f"{run_dir} holds no run: there is no {RECORD}", "run_missing"))
    if record["format_version"] > FORMAT_VERSION:
        msg = f"{path} has format {record['format_version']}; this program reads up to {FORMAT_VERSION}"
        raise Invalid(Fault(("format_version",), msg, "format_version"))
    return record


def code_version() -> str:
    """The commit of this checkout (with `+` when files differ from it), or the package's version."""
    try:
        described = subprocess.run(
            ["git", "-C", str(REPOSITORY), "describe", "--always", "--abbrev=40", "--match=", "--dirty=+"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return described.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        try:
            return version("tunixrt")
        except PackageNotFoundError:
            return "unknown"
