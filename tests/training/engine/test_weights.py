"""Published files in and out, without a peer: every way they can be wrong, and how much memory they take."""

import json
import shutil
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.training.engine.models import SHAPE, random_params
from tests.training.test_tokenizer import TOKENIZER
from training.engine import weights
from training.engine.weights import load_params, save_published
from training.errors import Invalid
from training.published_names import parameters
from training.shapes import FAMILIES, OWN_FAMILY, ModelShape
from training.tensor_files import check_weights, text_tensors

PARAMS = random_params(SHAPE)
EMBEDDING = "model.embed_tokens.weight"


@pytest.fixture
def published(tmp_path) -> Path:
    save_published(tmp_path / "published", PARAMS, SHAPE, TOKENIZER)
    return tmp_path / "published"


@pytest.fixture
def sharded(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(weights, "SHARD_BYTES", 40_000)
    save_published(tmp_path / "sharded", PARAMS, SHAPE, TOKENIZER)
    return tmp_path / "sharded"


def assert_same(params, expected) -> None:
    jax.tree.map(np.testing.assert_array_equal, params, expected)


def test_what_is_saved_is_loaded(published):
    assert {path.stat().st_mode & 0o777 for path in published.iterdir()} == {0o644}
    assert_same(load_params(published, SHAPE), PARAMS)


def test_shards_are_loaded(sharded):
    assert len(list(sharded.glob("model-0000?-of-0000?.safetensors"))) > 2
    assert_same(load_params(sharded, SHAPE), PARAMS)


def test_a_large_embedding_is_loaded_in_pieces(published, monkeypatch):
    monkeypatch.setattr(weights, "PIECE_BYTES", 7 * 4 * SHAPE.width)  # 64 rows are no multiple of 7
    assert_same(load_params(published, SHAPE), PARAMS)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_widened(published, dtype):
    rewrite(published, lambda tensors: {name: value.astype(dtype) for name, value in tensors.items()})
    rounded = jax.tree.map(lambda value: np.asarray(value).astype(dtype).astype(np.float32), PARAMS)
    assert_same(load_params(published, SHAPE), rounded)


def test_a_head_that_is_the_embedding_again_is_fine_and_another_is_not(published):
    rewrite(published, lambda tensors: tensors | {"lm_head.weight": tensors[EMBEDDING]})
    assert_same(load_params(published, SHAPE), PARAMS)
    rewrite(published, lambda tensors: tensors | {"lm_head.weight": -tensors[EMBEDDING]})
    with pytest.raises(Invalid, match=r"lm_head\.weight differs from the embedding"):
        load_params(published, SHAPE)


@pytest.mark.parametrize(
    ("prefix", "image"),
    [
        ("language_model.model.", "vision_tower.encoder.weight"),
        ("model.language_model.", "model.multi_modal_projector.mm_input_projection_weight"),
    ],
)
def test_the_text_part_of_a_model_that_sees_is_loaded(published, prefix, image):
    def with_images(tensors):
        text = {prefix + name.removeprefix("model."): value for name, value in tensors.items()}
        return text | {image: np.zeros(3, np.float32)}

    rewrite(published, with_images)
    assert_same(load_params(published, SHAPE), PARAMS)


def test_an_existing_directory_is_left_alone(published):
    with pytest.raises(FileExistsError):
        save_published(published, PARAMS, SHAPE, TOKENIZER)


def test_a_failure_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyError):
        save_published(tmp_path / "half", {}, SHAPE, TOKENIZER)
    assert not list(tmp_path.iterdir())


def rewrite(directory: Path, change) -> None:
    file = directory / "model.safetensors"
    save_file(change(load_file(file)), file)


def header_of(length: int) -> bytes:
    return struct.pack("<Q", length) + b"{" + b" " * 100


def write(name: str, data: bytes):
    return lambda directory: (directory / name).write_bytes(data)


def change(**tensors):
    """Replaces tensors of the file; None removes one."""

    def damage(directory: Path) -> None:
        rewrite(directory, lambda old: {name: new for name, new in (old | tensors).items() if new is not None})

    return damage


def cut(directory: Path) -> None:
    data = (directory / "model.safetensors").read_bytes()
    (directory / "model.safetensors").write_bytes(data[:-4])


def pickled(directory: Path) -> None:
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")


NORM = "model.norm.weight"
DAMAGES = {
    "nothing there": (lambda directory: (directory / "model.safetensors").unlink(), "holds neither model.safetensors"),
    "pickled only": (pickled, "pytorch_model.bin is pickled"),
    "empty": (write("model.safetensors", b""), "model.safetensors is truncated, damaged or no safetensors file"),
    "truncated": (cut, "model.safetensors is truncated, damaged or no safetensors file"),
    "a foreign file": (write("model.safetensors", b"PK\3\4" * 99), "is no safetensors file: its header would have"),
    "an endless header": (write("model.safetensors", header_of(2**62)), "its header would have 4611686018427387904"),
    "a header beyond the end": (write("model.safetensors", header_of(2**23)), "truncated, damaged or no safetensors"),
    "another model": (change(**{EMBEDDING: None}), "no tensor is called model.embed_tokens.weight"),
    "a tensor less": (change(**{NORM: None}), "tensors are missing: model.norm.weight"),
    "a tensor more": (change(bias=np.zeros(2)), "tensors belong to no part of this model: bias"),
    "a wrong shape": (change(**{NORM: np.zeros(33, np.float32)}), r"the shape of model.norm.weight is \[33\] where"),
    "a wrong type": (change(**{NORM: np.zeros(32, np.int32)}), "model.norm.weight is of type I32; F32, F16, BF16"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_is_no_such_model_is_refused(published, damage, message):
    damage(published)
    with pytest.raises(Invalid, match=message) as caught:
        load_params(published, SHAPE)
    assert caught.value.faults[0].loc == ("model", "weights")


def point(tensor: str, file: object):
    def damage(directory: Path) -> None:
        index = json.loads((directory / "model.safetensors.index.json").read_text())
        index["weight_map"][tensor] = file
        (directory / "model.safetensors.index.json").write_text(json.dumps(index))

    return damage


def lose_a_shard(directory: Path) -> None:
    next(directory.glob("model-00002-*")).unlink()


INDEX_DAMAGES = {
    "a shard is gone": (lose_a_shard, "names files that are not there: model-00002-of"),
    "no JSON": (write("model.safetensors.index.json", b"{"), "is no JSON"),
    "no list": (write("model.safetensors.index.json", b"{}"), "has no weight_map"),
    "out of the directory": (point(NORM, "../model.safetensors"), "which is no safetensors file beside it"),
    "no safetensors": (point(NORM, "model.bin"), "which is no safetensors file beside it"),
    "no name": (point(NORM, 7), "which is no safetensors file beside it"),
    "a name that no file can have": (point(NORM, f"{'x' * 300}.safetensors"), "cannot be read: File name too long"),
    "in another shard": (point(NORM, "model-00001-of-00007.safetensors"), "not in the files it names: model.norm"),
}


@pytest.mark.parametrize(("damage", "message"), INDEX_DAMAGES.values(), ids=INDEX_DAMAGES)
def test_an_index_that_does_not_hold_is_refused(sharded, damage, message, monkeypatch):
    damage(sharded)
    install(sharded, monkeypatch)
    with pytest.raises(Invalid, match=message):
        check_weights("mine", OWN_FAMILY)


def test_as_many_tensors_as_the_larger_sizes_have_are_found_by_their_index(tmp_path, monkeypatch):
    shape = replace(SHAPE, layers=26)  # as 1b: 340 tensors
    monkeypatch.setattr(weights, "SHARD_BYTES", 200_000)
    save_published(tmp_path / "sharded", random_params(shape), shape, TOKENIZER)
    assert len(text_tensors(tmp_path / "sharded", shape)) == 340


def test_more_layers_than_tensors_are_refused_without_naming_each(published):
    with pytest.raises(Invalid, match=r"config\.json means 2147483647 layers, more than there are tensors"):
        text_tensors(published, replace(SHAPE, layers=2**31 - 1))


def install(directory: Path, monkeypatch) -> None:
    home = directory.parent / "home"
    monkeypatch.setenv("TUNIXRT_HOME", str(home))
    (home / "weights").mkdir(parents=True)
    (home / "weights" / "mine").symlink_to(directory)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tokenizer_that_is_none_is_refused_with_the_weights_it_came_with(family, published, monkeypatch):
    install(published, monkeypatch)
    monkeypatch.setattr("training.tensor_files.read_family_shape", lambda directory, family: None)
    (published / "tokenizer.json").write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match=r"tokenizer\.json is no tokenizer") as caught:
        check_weights("mine", family)
    assert caught.value.faults[0].loc == ("model", "weights")


def test_installed_weights_are_checked_before_anything_begins(published, monkeypatch):
    install(published, monkeypatch)
    assert check_weights("mine", OWN_FAMILY) == SHAPE
    change(**{NORM: None})(published)
    with pytest.raises(Invalid, match="tensors are missing"):
        check_weights("mine", OWN_FAMILY)
    with pytest.raises(Invalid, match="model_type is 'gemma3_text'; the family qwen3 has qwen3"):
        check_weights("mine", "qwen3")
    (published / "tokenizer.json").unlink()
    with pytest.raises(Invalid, match=r"has no tokenizer\.json"):
        check_weights("mine", "qwen3")


# Prints how much the most memory ever held grew by loading, over the bytes of the parameters.
MEASURE = """
import sys, json
from pathlib import Path
import jax
from training.engine.weights import load_params
from training.shapes import ModelShape, parameter_count
shape = ModelShape(**json.loads(sys.argv[2]))
def highest():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
jax.block_until_ready(jax.numpy.zeros(3))
before = highest()
params = jax.block_until_ready(load_params(Path(sys.argv[1]), shape))
print((highest() - before) * 1024 / (4 * parameter_count(shape)))
"""


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
def test_loading_never_holds_the_weights_twice(tmp_path, dtype):
    shape = replace(SHAPE, vocab_size=60_000, width=640, layers=4, mlp_width=2048, head_dim=64)
    directory = tmp_path / "large"
    write_zeros(directory, shape, dtype)
    command = [sys.executable, "-c", MEASURE, str(directory), json.dumps(shape.__dict__)]
    share = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert 0.9 < share < 1.5
    shutil.rmtree(directory)  # 220 MB


def write_zeros(directory: Path, shape: ModelShape, dtype: type) -> None:
    directory.mkdir()
    sizes = {name: size for parameter in parameters(shape) for name, size in parameter.tensors.items()}
    save_file({f"model.{name}": np.zeros(size, dtype) for name, size in sizes.items()}, directory / "model.safetensors")
