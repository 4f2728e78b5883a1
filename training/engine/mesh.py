"""Devices that train together: what each of them holds, and what leaves and enters all of them at once.

A mesh has two axes. Every device sees sequences of its own; the `fsdp` devices of a group hold a part each of the
parameters and of the optimiser's state (ZeRO, arXiv:1910.02054; FSDP, arXiv:2304.11277), which XLA gathers where they
are used and whose gradients it sums and scatters. The functions take None for a single device, and change nothing.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from training.config import MeshConfig
from training.errors import Fault, Invalid

DATA, FSDP = "data", "fsdp"


def make_mesh(config: MeshConfig) -> Mesh | None:
    """The devices of all processes as `config` wants them; None when that is one. Raises Invalid when there are too
    few, or when some process would have none."""
    devices = jax.devices()
    data = config.data or max(1, len(devices) // config.fsdp)
    wanted = data * config.fsdp
    if wanted > len(devices) or (jax.process_count() > 1 and wanted < len(devices)):
        raise Invalid(Fault(("mesh",), _misfit(data, config.fsdp, devices), "wrong_value"))
    return Mesh(np.array(devices[:wanted]).reshape(data, config.fsdp), (DATA, FSDP)) if wanted > 1 else None


def held(mesh: Mesh, tree: Any) -> Any:
    """How every array of `tree` is held: split over fsdp along the longest axis that divides evenly, vectors whole."""
    return jax.tree.map(lambda array: NamedSharding(mesh, _split(array.shape, mesh.shape[FSDP])), tree)


def keep(mesh: Mesh | None, tree: Any) -> Any:
    """Inside a compiled function: `tree`, held as `held` says."""
    return jax.lax.with_sharding_constraint(tree, held(mesh, tree)) if mesh else tree


def everywhere(mesh: Mesh | None, array: Array) -> Array:
    """Inside a compiled function: `array`, whole on every device, so that every process can read it."""
    return jax.lax.with_sharding_constraint(array, NamedSharding(mesh, P())) if mesh else array


def spread(mesh: Mesh | None, tree: Any) -> Any:
    """Arrays that every process has whole, held as `held` says."""
    return jax.tree.map(_put, tree, held(mesh, tree)) if mesh else tree


def spread_fresh(mesh: Mesh | None, make: Callable[[], Any]) -> Any:
    """What `make` makes, of which no device ever holds more than its part."""
    return jax.jit(make, out_shardings=held(mesh, jax.eval_shape(make)))() if mesh else make()


def share(mesh: Mesh | None, batch: dict[str, Any]) -> dict[str, Any]:
    """[B, L] arrays with the sequences dealt out to the devices in order; empty ones make their number even."""
    if mesh is None:
        return batch
    places = NamedSharding(mesh, P((DATA, FSDP)))

    def deal(array: np.ndarray) -> Array:
        return _put(np.pad(array, ((0, -len(array) % mesh.size), (0, 0))), places)

    return jax.tree.map(deal, batch)


def whole(tree: Any) -> Any:
    """`tree` as this process can read it: arrays of which other processes hold parts come into its memory."""
    return jax.tree.map(_whole, tree)


def placed(mesh: Mesh | None, tree: Any) -> Any:
    """Arrays without values, which say besides shape and type how they are held."""

    def place(array: Any, sharding: NamedSharding) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding)

    return jax.tree.map(place, tree, held(mesh, tree)) if mesh else tree


def leads() -> bool:
    """Whether this process writes the files; of several that train together, the first does."""
    return jax.process_index() == 0


def wait_for_all(moment: str) -> None:
    """Returns when every process has come to this `moment`."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(moment)


def any_of_all(*flags: bool) -> tuple[bool, ...]:
    """Which of the flags some process has up, the same in all: whoever stops alone leaves the others waiting."""
    if jax.process_count() == 1:
        return flags
    return tuple(multihost_utils.process_allgather(np.array(flags)).any(axis=0).tolist())


def _whole(array: Array) -> Any:
    return array if array.is_fully_addressable else multihost_utils.process_allgather(array, tiled=True)


def _put(array: Any, sharding: NamedSharding) -> Array:
    """A process has the whole and gives its devices their parts."""
    values = np.asarray(array)
    return jax.make_array_from_callback(values.shape, sharding, lambda part: values[part])


def _split(shape: tuple[int, ...], parts: int) -> P:
    even = [axis for axis, length in enumerate(shape) if length % parts == 0]
    if parts == 1 or len(shape) < 2 or not even:
        return P()
    longest = max(even, key=lambda axis: shape[axis])
    return P(*(FSDP if axis == longest else None for axis in range(len(shape))))


def _misfit(data: int, fsdp: int, devices: list[jax.Device]) -> str:
    processes = f" in {jax.process_count()} processes" if jax.process_count() > 1 else ""
    return (
        f"wants {data} x {fsdp} = {data * fsdp} devices (data x fsdp), here are {len(devices)} "
        f"({devices[0].device_kind}){processes}"
    )
