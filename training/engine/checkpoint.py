"""Checkpoints that are whole or do not count: Orbax writes them, a manifest of checksums seals them.

`checkpoints/<step>/` holds `params/`, `optimizer/` and `progress/` (where the run stood). Orbax survives a kill in the
middle of a save, but not a flipped bit and not a full disk, so only a step whose MANIFEST.json agrees with its files
is ever read.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from training.engine.model import Params
from training.errors import Fault, Invalid
from training.files import file_sha256, fsync_directory, write_json_atomic

MANIFEST = "MANIFEST.json"
RESERVE_BYTES = 64 * 2**20  # stays free on the disk for logs and for whoever else writes


def save(directory: Path, step: int, *, params: Params, optimizer: Any, progress: dict[str, Any]) -> Path:
    """Writes and seals the checkpoint of `step`. Raises OSError (ENOSPC) when the disk cannot hold it."""
    _require_space(directory, 2 * _size(params) + 2 * _size(optimizer))
    path = directory / str(step)
    shutil.rmtree(path, ignore_errors=True)  # left unsealed by an attempt that was killed
    items = ocp.args.Composite(
        params=ocp.args.StandardSave(params),
        optimizer=ocp.args.StandardSave(optimizer),
        progress=ocp.args.JsonSave(progress),
    )
    try:
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
            checkpointer.save(path.absolute(), items)
        _seal(path)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        _remove_half_written(directory)
        raise
    return path


def restore(path: Path, *, params: Params, optimizer: Any) -> tuple[Params, Any, dict[str, Any]]:
    """(parameters, optimiser state, progress) of a sealed step; the arguments give structure, shapes and types."""
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
        items = checkpointer.restore(
            path.absolute(),
            ocp.args.Composite(
                params=ocp.args.StandardRestore(params),
                optimizer=ocp.args.StandardRestore(optimizer),
                progress=ocp.args.JsonRestore(),
            ),
        )
    return items["params"], items["optimizer"], items["progress"]


def restore_params(path: Path, params: Params) -> Params:
    """The parameters of a sealed step alone; `params` gives structure, shapes and types."""
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
        restored = checkpointer.restore(path.absolute(), ocp.args.Composite(params=ocp.args.StandardRestore(params)))
    return restored["params"]


def params_sha256(params: Params) -> str:
    """One hash for the values: the files that hold the same values differ in their names and times."""
    digest = hashlib.sha256()
    for path, array in jax.tree_util.tree_leaves_with_path(params):
        digest.update(f"{jax.tree_util.keystr(path)} {array.shape} {array.dtype}\n".encode())
        digest.update(np.asarray(array).tobytes())
    return digest.hexdigest()


def is_sealed(path: Path) -> bool:
    """Whether every file of the step is there, unchanged, and nothing else is."""
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        return manifest == _manifest(path)
    except (OSError, ValueError):
        return False


def steps(directory: Path) -> list[int]:
    """Steps that have a directory, sealed or not, in ascending order."""
    return sorted(int(path.name) for path in directory.glob("[0-9]*") if path.name.isdecimal() and path.is_dir())


def latest_sealed(directory: Path) -> Path | None:
    """The newest step that verifies; None when there is none."""
    return next(
        (directory / str(step) for step in reversed(steps(directory)) if is_sealed(directory / str(step))), None
    )


def find(path: Path) -> Path:
    """The step that `path` means: a run's `checkpoints/` (its newest sealed one) or one step. Raises Invalid."""
    if path.name.isdecimal():
        if not is_sealed(path):
            msg = f"{path} is missing or damaged: its files do not agree with its {MANIFEST}"
            raise Invalid(Fault(("checkpoint",), msg, "checkpoint_corrupt"))
        return path
    newest = latest_sealed(path)
    if newest is None:
        raise Invalid(Fault(("checkpoint",), f"there is no sealed checkpoint in {path}", "checkpoint_missing"))
    return newest


def clean_up(directory: Path) -> Iterator[str]:
    """Removes what a killed attempt left half-written and sets damaged steps aside; yields a sentence for each.

    Only the process that holds the run's lock may do this.
    """
    _remove_half_written(directory)
    for step in steps(directory):
        path = directory / str(step)
        if not (path / MANIFEST).exists():
            shutil.rmtree(path)
            yield f"checkpoint {step} was never sealed: removed"
        elif not is_sealed(path):
            aside = directory / f"bad-{step}"
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            yield f"checkpoint {step} is damaged: set aside as {aside.name}"


def keep_newest(directory: Path, keep: int) -> None:
    """Deletes all steps but the first (step 0) and the newest `keep`; only call after a newer one is sealed."""
    for step in [step for step in steps(directory) if step != 0][:-keep]:
        shutil.rmtree(directory / str(step))


def _remove_half_written(directory: Path) -> None:
    for leftover in directory.glob("*.orbax-checkpoint-tmp*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _seal(path: Path) -> None:
    """Makes a step durable, then gives it its manifest: from here on it counts."""
    for folder, _, names in os.walk(path):
        for name in names:
            _fsync_file(Path(folder) / name)
        fsync_directory(Path(folder))
    fsync_directory(path.parent)
    write_json_atomic(path / MANIFEST, _manifest(path))


def _manifest(path: Path) -> dict[str, Any]:
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != MANIFEST)
    return {"step": int(path.name), "files": {str(file.relative_to(path)): file_sha256(file) for file in files}}


def _fsync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _size(tree: Any) -> int:
    """Bytes of all arrays in `tree`."""
    return sum(array.nbytes for array in jax.tree.leaves(tree))


def _require_space(directory: Path, wanted: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(directory).free
    if free < wanted + RESERVE_BYTES:
        need = (wanted + RESERVE_BYTES) // 2**20
        raise OSError(errno.ENOSPC, f"a checkpoint wants {need} MiB free, the disk has {free // 2**20} MiB")
