import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from training.engine import checkpoint
from training.errors import Invalid

PARAMS = {"a": jnp.arange(12.0).reshape(3, 4), "b": {"c": jnp.ones(5)}}
OPTIMIZER = (jnp.zeros(3), {"count": jnp.asarray(7)})
LIKE = jax.eval_shape(lambda: (PARAMS, OPTIMIZER))


def save(directory: Path, *steps: int) -> None:
    for step in steps:
        checkpoint.save(directory, step, params=PARAMS, optimizer=OPTIMIZER, progress={"tokens": step})


def files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()]


def flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def test_what_is_saved_comes_back_bit_for_bit(tmp_path):
    save(tmp_path, 3)
    params, optimizer, progress = checkpoint.restore(tmp_path / "3", params=LIKE[0], optimizer=LIKE[1])
    same = jax.tree.map(
        lambda a, b: a.dtype == b.dtype and bool((a == b).all()), (params, optimizer), (PARAMS, OPTIMIZER)
    )
    assert jax.tree.all(same)
    assert progress == {"tokens": 3, "params_sha256": checkpoint.params_sha256(PARAMS)}
    assert checkpoint.read_progress(tmp_path / "3") == progress
    assert (checkpoint.restore_params(tmp_path / "3", LIKE[0])["a"] == PARAMS["a"]).all()


def test_the_first_step_takes_little_room_for_its_zeros_and_comes_back(tmp_path):
    zeros = {"moment": jnp.zeros((512, 512))}
    for step in (0, 1):
        checkpoint.save(tmp_path, step, params=PARAMS, optimizer=zeros, progress={})
    sizes = [sum(file.stat().st_size for file in files(tmp_path / str(step) / "optimizer")) for step in (0, 1)]
    assert sizes[0] * 10 < sizes[1]
    params, optimizer, _ = checkpoint.restore(tmp_path / "0", params=LIKE[0], optimizer=zeros)
    assert (params["a"] == PARAMS["a"]).all()
    assert (optimizer["moment"] == 0).all()


def test_every_flipped_bit_is_noticed(tmp_path):
    save(tmp_path, 1)
    found = files(tmp_path / "1")
    assert len(found) > 5
    for file in found:
        if file.stat().st_size:
            good = file.read_bytes()
            flip_a_bit(file)
            assert not checkpoint.is_sealed(tmp_path / "1"), file.name
            file.write_bytes(good)
    assert checkpoint.is_sealed(tmp_path / "1")


def test_a_missing_an_emptied_and_a_foreign_file_are_noticed(tmp_path):
    save(tmp_path, 1)
    largest = max(files(tmp_path / "1"), key=lambda file: file.stat().st_size)
    good = largest.read_bytes()
    largest.write_bytes(b"")
    assert not checkpoint.is_sealed(tmp_path / "1")
    largest.unlink()
    assert not checkpoint.is_sealed(tmp_path / "1")
    largest.write_bytes(good)
    (tmp_path / "1" / "foreign").touch()
    assert not checkpoint.is_sealed(tmp_path / "1")


def test_a_damaged_newest_step_falls_back_to_the_one_before(tmp_path):
    save(tmp_path, 1, 2)
    flip_a_bit(max(files(tmp_path / "2"), key=lambda file: file.stat().st_size))
    assert checkpoint.latest_sealed(tmp_path) == tmp_path / "1"
    assert checkpoint.set_damaged_aside(tmp_path) == [2]
    assert checkpoint.steps(tmp_path) == [1]
    assert (tmp_path / "bad-2").is_dir()


def test_what_a_killed_attempt_left_half_written_is_removed(tmp_path):
    save(tmp_path, 1, 2)
    (tmp_path / "2" / checkpoint.MANIFEST).unlink()
    (tmp_path / "3.orbax-checkpoint-tmp-0").mkdir()
    (tmp_path / "99").mkdir()
    assert checkpoint.remove_unsealed(tmp_path) == [2, 99]
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_a_step_that_was_left_unsealed_can_be_saved_again(tmp_path):
    save(tmp_path, 2)
    (tmp_path / "2" / checkpoint.MANIFEST).unlink()
    save(tmp_path, 2)
    assert checkpoint.is_sealed(tmp_path / "2")


def test_the_first_and_the_newest_are_kept(tmp_path):
    save(tmp_path, 0, 1, 2, 3)
    checkpoint.thin_out(tmp_path, newest=2, best=True)
    assert checkpoint.steps(tmp_path) == [0, 2, 3]


def test_a_copied_run_still_verifies(tmp_path):
    save(tmp_path / "run", 4)
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    assert checkpoint.find(tmp_path / "copy") == tmp_path / "copy" / "4"


def test_find_takes_a_directory_of_steps_or_one_step(tmp_path):
    save(tmp_path, 1, 2)
    assert checkpoint.find(tmp_path) == tmp_path / "2"
    assert checkpoint.find(tmp_path / "1") == tmp_path / "1"


def test_find_refuses_what_is_missing_or_damaged(tmp_path):
    with pytest.raises(Invalid, match="no sealed checkpoint"):
        checkpoint.find(tmp_path)
    save(tmp_path, 1)
    flip_a_bit(tmp_path / "1" / checkpoint.MANIFEST)
    with pytest.raises(Invalid) as error:
        checkpoint.find(tmp_path / "1")
    assert error.value.faults[0].type == "checkpoint_corrupt"


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "RESERVE_BYTES", 2**62)
    with pytest.raises(OSError, match="MiB free"):
        save(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []
