"""Parameters in and out: fresh ones, those of published files, of which nothing is held twice, and files of our own."""

from collections.abc import Iterator
from functools import partial
from math import prod
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import Array
from jax.sharding import Mesh
from safetensors.numpy import save_file

from training.config import TrainConfig
from training.engine.mesh import spread, spread_fresh
from training.engine.model import Params, init_params
from training.files import directory_atomic, fsync_file, write_json_atomic
from training.published import find_weights, unusable
from training.published_names import EMBEDDING, HEAD, Parameter, parameters
from training.publishing import write_descriptions
from training.shapes import ModelShape, parameter_count
from training.tensor_files import INDEX, SINGLE, Tensor, text_tensors
from training.tokenizer import Tokenizer

SHARD_BYTES = 2**30
PIECE_BYTES = 16 * 2**20  # of a large tensor that are on their way at once


def initial_params(config: TrainConfig, shape: ModelShape, mesh: Mesh | None = None) -> Params:
    """The parameters of a resolved config before its first update. Raises Invalid when its weights are unusable."""
    if config.model.weights:
        return load_params(find_weights(config.model.weights), shape, mesh)
    return spread_fresh(mesh, partial(init_params, shape, config.training.seed or 0))


def load_params(directory: Path, shape: ModelShape, mesh: Mesh | None = None) -> Params:
    """The parameters, float32, of a model of this shape in a published directory; those of one after the other are
    spread over the `mesh`.

    The files are mapped and read tensor by tensor, large ones in pieces. Raises Invalid when they do not hold exactly
    such a model.
    """
    tensors = text_tensors(directory, shape)
    if HEAD in tensors:
        _require_tied(tensors)
    loaded = {parameter.path: spread(mesh, _load(parameter, tensors)) for parameter in parameters(shape)}
    return unflatten_dict(loaded, sep="/")


def save_published(directory: Path, params: Params, shape: ModelShape, tokenizer: Tokenizer) -> None:
    """Writes a new directory that `load_params` and transformers' Auto classes read as this model.

    The tensors are float32, in one file or, above SHARD_BYTES, in several with an index. Raises FileExistsError.
    """
    with directory_atomic(directory) as aside:
        write_descriptions(aside, shape, tokenizer)
        shards = _shards(shape)
        places: dict[str, str] = {}
        for number, shard in enumerate(shards, start=1):
            name = SINGLE if len(shards) == 1 else f"model-{number:05d}-of-{len(shards):05d}.safetensors"
            tensors = _published(params, shard)
            save_file(tensors, aside / name, metadata={"format": "pt"})  # transformers asks for the format
            (aside / name).chmod(0o644)  # as any new file: the package's is for its owner alone
            fsync_file(aside / name)
            places |= dict.fromkeys(tensors, name)
        if len(shards) > 1:
            total = 4 * parameter_count(shape)
            write_json_atomic(aside / INDEX, {"metadata": {"total_size": total}, "weight_map": places})


def _shards(shape: ModelShape) -> list[list[Parameter]]:
    """The parameters in the order of the layers, in shards of at most SHARD_BYTES."""
    shards: list[list[Parameter]] = []
    room = 0
    for parameter in parameters(shape):
        size = 4 * prod(parameter.shape)
        if size > room:
            shards.append([])
            room = SHARD_BYTES
        shards[-1].append(parameter)
        room -= size
    return shards


def _published(params: Params, shard: list[Parameter]) -> dict[str, np.ndarray]:
    """The published tensors of a shard, each contiguous, as the file wants them."""
    flat = flatten_dict(params, sep="/")
    return {
        f"model.{name}": np.ascontiguousarray(tensor, np.float32)
        for parameter in shard
        for name, tensor in parameter.take_apart(np.asarray(flat[parameter.path])).items()
    }


def _load(parameter: Parameter, tensors: dict[str, Tensor]) -> Array:
    parts = [tensors[name] for name in parameter.tensors]
    if parameter.is_turned or len(parameter.shape) == 1:
        return jnp.array(parameter.assemble([part.read() for part in parts]))
    whole = jnp.zeros(parameter.shape)
    for row, piece in _pieces(parts[0]):
        whole = _store(whole, piece, row)
    return whole


def _pieces(tensor: Tensor) -> Iterator[tuple[int, np.ndarray]]:
    """A matrix in pieces of PIECE_BYTES: (first row, its rows in float32)."""
    rows = max(1, PIECE_BYTES // (4 * tensor.shape[1]))
    for first in range(0, tensor.shape[0], rows):
        yield first, tensor.read(first, min(first + rows, tensor.shape[0])).astype(np.float32)


@partial(jax.jit, donate_argnums=0)
def _store(whole: Array, piece: Array, row: int) -> Array:
    return jax.lax.dynamic_update_slice_in_dim(whole, piece, row, axis=0)


def _require_tied(tensors: dict[str, Tensor]) -> None:
    """Raises Invalid when the output matrix is not the embedding again: our model has only one of them."""
    pairs = zip(_pieces(tensors[EMBEDDING]), _pieces(tensors[HEAD]), strict=True)
    if not all(np.array_equal(embedded, head) for (_, embedded), (_, head) in pairs):
        raise unusable(f"{tensors[HEAD].file}: {HEAD} differs from the embedding; our model uses one matrix for both")
