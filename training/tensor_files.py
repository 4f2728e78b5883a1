"""The tensors of a published checkpoint: found, checked against the model they are for, and read piece by piece.

Only safetensors files are opened: a pickle runs what it holds. Their headers alone are read until a tensor is wanted.
"""

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401 (gives numpy the name bfloat16, which safetensors asks it for)
import numpy as np
from safetensors import SafetensorError, safe_open

from training.errors import ECHO_LIMIT, Invalid, echo
from training.published import TOKENIZER_FILE, find_weights, read_object, read_shape, readable, unusable
from training.published_families import read_family_shape
from training.published_names import EMBEDDING, HEAD, parameters
from training.shapes import OWN_FAMILY, ModelShape
from training.tokenizer import Tokenizer

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
DTYPES = ("F32", "F16", "BF16")
MOST_HEADER_BYTES = 16 * 2**20  # that of the largest published model has some hundred thousand
MOST_INDEX_BYTES, MOST_TENSORS = 64 * 2**20, 100_000  # that of Gemma 3 27b names some 1250
NAMED = 5  # tensors that a message lists
# Where the text model begins: alone, and within a model that sees images, as published and as transformers 5 saves it.
PREFIXES = {"model.": "", "language_model.model.": "language_model.", "model.language_model.": ""}  # and its head's
OF_IMAGES = ("vision_tower.", "multi_modal_projector.", "model.vision_tower.", "model.multi_modal_projector.")


@dataclass(frozen=True)
class Tensor:
    """A tensor in a file."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: str  # as safetensors calls it

    def read(self, begin: int = 0, end: int | None = None) -> np.ndarray:
        """Its values, or some of its rows, as they are stored.

        The file is mapped for this call alone, since mapped pages count as memory of the process that touched them.
        """
        with _opened(self.file) as file:
            return file.get_slice(self.name)[begin:end]


@readable()
def check_weights(name: str, family: str) -> ModelShape | None:
    """The shape of installed weights, None for another family than ours, whose tensors nobody looks at here.

    Raises Invalid when they are not whole, or no model of ours, or their tokenizer is none; reads no more of the
    tensors than their headers.
    """
    directory = find_weights(name)
    if not (directory / TOKENIZER_FILE).is_file():
        raise unusable(f"{directory} has no {TOKENIZER_FILE}", "weights_missing")
    shape = None
    if family == OWN_FAMILY:
        shape = read_shape(directory)
        text_tensors(directory, shape)
    else:
        read_family_shape(directory, family)
    try:
        Tokenizer.load(directory / TOKENIZER_FILE)
    except Invalid as invalid:
        raise unusable(invalid.faults[0].msg)
    return shape


def text_tensors(directory: Path, shape: ModelShape) -> dict[str, Tensor]:
    """The tensors of a language model of this shape, by their names without prefix; `lm_head.weight` where there is
    one. Raises Invalid when a file is missing, truncated or foreign, or a tensor missing, left over or of another
    shape."""
    found = _tensors(directory)
    prefix = next((prefix for prefix in PREFIXES if f"{prefix}{EMBEDDING}" in found), None)
    if prefix is None:
        raise unusable(f"{directory} holds no Gemma 3 language model: no tensor is called model.{EMBEDDING}")
    if shape.layers > len(found):  # before a name is made for each
        msg = f"{directory / 'config.json'} means {shape.layers} layers, more than there are tensors ({len(found)})"
        raise unusable(msg)
    wanted = {name: size for parameter in parameters(shape) for name, size in parameter.tensors.items()}
    names = {f"{prefix}{name}": name for name in wanted} | {f"{PREFIXES[prefix]}{HEAD}": HEAD}
    sizes = wanted | {HEAD: wanted[EMBEDDING]}
    _refuse("are missing", [name for name in names if name not in found and names[name] != HEAD], directory)
    strange = [name for name in found if name not in names and not name.startswith(OF_IMAGES)]
    _refuse("belong to no part of this model", strange, directory)
    text = {names[name]: tensor for name, tensor in found.items() if name in names}
    for name, tensor in text.items():
        if tensor.shape != sizes[name]:
            msg = f"is {list(tensor.shape)} where {directory / 'config.json'} means {list(sizes[name])}"
            raise unusable(f"{tensor.file}: the shape of {tensor.name} {msg}")
        if tensor.dtype not in DTYPES:
            raise unusable(f"{tensor.file}: {tensor.name} is of type {tensor.dtype}; {', '.join(DTYPES)} can be read")
    return text


def _tensors(directory: Path) -> dict[str, Tensor]:
    """Every tensor of a directory, by its name in the files."""
    if (directory / SINGLE).is_file():
        return _header(directory / SINGLE)
    if not (directory / INDEX).is_file():
        pickled = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in directory.glob(pattern))
        why = f"; {pickled[0]} is pickled, and reading it could run any program: convert it" if pickled else ""
        raise unusable(f"{directory} holds neither {SINGLE} nor {INDEX}{why}", "weights_missing")
    places = _index(directory / INDEX)
    missing = sorted({file for file in places.values() if not (directory / file).is_file()})
    if missing:
        raise unusable(f"{directory / INDEX} names files that are not there: {_some(missing)}", "weights_missing")
    headers = {file: _header(directory / file) for file in sorted(set(places.values()))}
    lost = [name for name, file in places.items() if name not in headers[file]]
    _refuse(f"are in {INDEX} and not in the files it names", lost, directory)
    return {name: headers[file][name] for name, file in places.items()}


def _index(path: Path) -> Mapping[str, str]:
    """The file of each tensor. A name that leads out of the directory is refused."""
    places = read_object(path, MOST_INDEX_BYTES, MOST_TENSORS).get("weight_map")
    if not isinstance(places, Mapping) or not places:
        raise unusable(f"{path} has no weight_map")
    for file in places.values():
        if not isinstance(file, str) or Path(file).name != file or not file.endswith(".safetensors"):
            raise unusable(f"{path} names {echo(file)}, which is no safetensors file beside it")
    return places


def _header(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as raw:
        begin = raw.read(8)
    size = struct.unpack("<Q", begin)[0] if len(begin) == 8 else 0
    if size > MOST_HEADER_BYTES:
        raise unusable(f"{path} is no safetensors file: its header would have {size} bytes")
    with _opened(path) as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        return {name: Tensor(path, name, tuple(s.get_shape()), s.get_dtype()) for name, s in slices.items()}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="np") as file:
            yield file
    except SafetensorError as error:
        raise unusable(f"{path} is truncated, damaged or no safetensors file: {error}")


def _refuse(what: str, names: list[str], directory: Path) -> None:
    if names:
        raise unusable(f"{directory}: tensors {what}: {_some(names)}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(name[:ECHO_LIMIT] for name in names[:NAMED])}{more}"
