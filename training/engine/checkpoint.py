"""Checkpoints that are whole or do not count: Orbax writes them, a manifest of checksums seals them.

`checkpoints/<step>/` holds `params/`, `optimizer/` and `progress/` (a JSON object: where the run stood). Orbax
survives a kill in the middle of a save, but not a flipped bit and not a full disk, so only a step whose MANIFEST.json
agrees with its files is ever read. Orbax is imported where it is used: that takes long, and a new run needs it only
once it computes.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from training.engine.model import Params
from training.errors import Fault, Invalid
from training.files import file_sha256, fsync_directory, fsync_file, write_json_atomic
from training.stopping import PATIENCE

MANIFEST = "MANIFEST.json"
RESERVE_BYTES = 64 * 2**20  # stays free on the disk for logs and for whoever else writes


def save(directory: Path, step: int, *, params: Params, optimizer: Any, progress: dict[str, Any]) -> Path:
    """Writes and seals the checkpoint of `step`, a hash of the parameters' values added to its `progress`.

    Raises OSError (ENOSPC) when the disk cannot hold it.
    """
    import orbax.checkpoint as ocp

    require_space(directory, (params, optimizer))
    path = directory / str(step)
    _remove(path)  # left by an attempt that was killed
    items = ocp.args.Composite(
        params=ocp.args.PyTreeSave(params),
        optimizer=ocp.args.PyTreeSave(optimizer),
        progress=ocp.args.JsonSave(progress | {"params_sha256": params_sha256(params)}),
    )
    try:
        # Trained numbers hardly shrink; the first step, whose moments are zeros and which stays, is worth the time.
        with _checkpointer(compress=step == 0) as checkpointer:
            checkpointer.save(path.absolute(), items)
        _seal(path)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        _remove_half_written(directory)
        raise
    return path


def restore(path: Path, *, params: Params, optimizer: Any) -> tuple[Params, Any, dict[str, Any]]:
    """(parameters, optimiser state, progress) of a sealed step; the arguments give structure, shapes, types and
    where they are held, if that matters."""
    import orbax.checkpoint as ocp

    with _checkpointer() as checkpointer:
        items = checkpointer.restore(
            path.absolute(),
            ocp.args.Composite(
                params=_as(params),
                optimizer=_as(optimizer),
                progress=ocp.args.JsonRestore(),
            ),
        )
    return items["params"], items["optimizer"], items["progress"]


def restore_params(path: Path, params: Params) -> Params:
    """The parameters of a sealed step alone; `params` gives structure, shapes and types."""
    import orbax.checkpoint as ocp

    with _checkpointer() as checkpointer:
        restored = checkpointer.restore(path.absolute(), ocp.args.Composite(params=_as(params)))
    return restored["params"]


def params_sha256(params: Params) -> str:
    """One hash for the values: the files that hold the same values differ in their names and times."""
    digest = hashlib.sha256()
    for path, array in jax.tree_util.tree_leaves_with_path(params):
        digest.update(f"{jax.tree_util.keystr(path)} {array.shape} {array.dtype}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
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


def best_sealed(directory: Path) -> Path | None:
    """The step with the lowest loss on the valid split that verifies; None when none was looked at."""
    return next((path for path in _best_first(directory) if is_sealed(path)), None)


def read_progress(path: Path) -> dict[str, Any]:
    """Where the run stood at a step, without its arrays."""
    return json.loads((path / "progress" / "metadata").read_bytes())


def find(path: Path) -> Path:
    """The step that `path` means: one step, or of a run's `checkpoints/` the newest sealed one. Raises Invalid.

    A run that stopped early, for want of a better loss, is represented by its best step where that was kept.
    """
    if path.name.isdecimal():
        if not is_sealed(path):
            msg = f"{path} is missing or damaged: its files do not agree with its {MANIFEST}"
            raise Invalid(Fault(("checkpoint",), msg, "checkpoint_corrupt"))
        return path
    newest = latest_sealed(path)
    if newest is None:
        raise Invalid(Fault(("checkpoint",), f"there is no sealed checkpoint in {path}", "checkpoint_missing"))
    stopped_early = read_progress(newest).get("ended") == PATIENCE
    return (best_sealed(path) if stopped_early else None) or newest


def remove_unsealed(directory: Path) -> list[int]:
    """Removes what a killed attempt left half-written and returns the steps that had a directory.

    Only the process that holds the run's lock may do this, as what the next two functions do.
    """
    _remove_half_written(directory)
    unsealed = [step for step in steps(directory) if not (directory / str(step) / MANIFEST).exists()]
    for step in unsealed:
        _remove(directory / str(step))
    return unsealed


def set_damaged_aside(directory: Path) -> list[int]:
    """Renames the steps that do not agree with their manifest to `bad-<step>` and returns them."""
    damaged = [step for step in steps(directory) if not is_sealed(directory / str(step))]
    for step in damaged:
        aside = directory / f"bad-{step}"
        shutil.rmtree(aside, ignore_errors=True)
        (directory / str(step)).rename(aside)
    return damaged


def thin_out(directory: Path, *, newest: int, best: bool, besides: Iterable[int] = ()) -> None:
    """Deletes all steps but the first (step 0), the `newest`, if `best` the one with the lowest valid loss, and those
    named `besides`.

    Only call it after a newer one is sealed.
    """
    kept = {0, *steps(directory)[-newest:], *besides}
    if best:
        kept |= {int(path.name) for path in _best_first(directory)[:1]}
    for step in set(steps(directory)) - kept:
        _remove(directory / str(step))


def require_space(directory: Path, tree: Any) -> None:
    """Raises OSError (ENOSPC) when the disk cannot hold the arrays of `tree` twice."""
    directory.mkdir(parents=True, exist_ok=True)
    wanted = 2 * sum(array.nbytes for array in jax.tree.leaves(tree)) + RESERVE_BYTES
    free = shutil.disk_usage(directory).free
    if free < wanted:
        need = wanted // 2**20
        raise OSError(errno.ENOSPC, f"a checkpoint wants {need} MiB free, the disk has {free // 2**20} MiB")


def _best_first(directory: Path) -> list[Path]:
    """The steps that were looked at, the lowest loss on the valid split first, of equal ones the earliest."""
    losses: dict[int, float] = {}
    for step in steps(directory):
        if (directory / str(step) / MANIFEST).exists():
            loss = read_progress(directory / str(step)).get("valid_loss")
            losses |= {} if loss is None else {step: loss}
    return [directory / str(step) for step in sorted(losses, key=lambda step: (losses[step], step))]


def _remove(path: Path) -> None:
    """Deletes a step, its seal first: what a kill leaves of it does not count."""
    (path / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)


def _remove_half_written(directory: Path) -> None:
    for leftover in directory.glob("*.orbax-checkpoint-tmp*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _checkpointer(*, compress: bool = False) -> Any:
    """Orbax for this process alone: the others that train with it have no part in its files."""
    import orbax.checkpoint as ocp

    alone = ocp.options.MultiprocessingOptions(jax.process_index(), {jax.process_index()}, "alone")
    arrays = partial(ocp.PyTreeCheckpointHandler, use_compression=compress, multiprocessing_options=alone)
    progress = ocp.JsonCheckpointHandler(multiprocessing_options=alone)
    options = ocp.CompositeOptions(multiprocessing_options=alone)
    handler = ocp.CompositeCheckpointHandler(
        composite_options=options, params=arrays(), optimizer=arrays(), progress=progress
    )
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


def _as(tree: Any) -> Any:
    """How Orbax is asked for arrays like those of `tree`."""
    import orbax.checkpoint as ocp

    return ocp.args.PyTreeRestore(tree, ocp.checkpoint_utils.construct_restore_args(tree))


def _seal(path: Path) -> None:
    """Makes a step durable, then gives it its manifest: from here on it counts."""
    for folder, _, names in os.walk(path):
        for name in names:
            fsync_file(Path(folder) / name)
        fsync_directory(Path(folder))
    fsync_directory(path.parent)
    write_json_atomic(path / MANIFEST, _manifest(path))


def _manifest(path: Path) -> dict[str, Any]:
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != MANIFEST)
    return {"step": int(path.name), "files": {str(file.relative_to(path)): file_sha256(file) for file in files}}
