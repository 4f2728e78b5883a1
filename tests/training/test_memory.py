"""What a run takes of memory: how it depends on the config, the table of the docs, what is there."""

from pathlib import Path

import pytest

from tests.training.memory_table import table
from training.config import TrainConfig
from training.errors import Invalid
from training.memory import Memory, allowed_memory, machine_memory, peak_memory, require_memory, run_memory

DOCS = Path(__file__).parents[2] / "docs" / "scale.md"


def memory(devices: int = 1, **sections: dict) -> Memory:
    config = TrainConfig.from_dict({"training": {"steps": 1, "microbatch": 2}, "model": {"size": "medium"}} | sections)
    return run_memory(config, config.shape(512), devices=devices)


def test_the_table_of_the_docs_is_what_the_function_says():
    assert table() in DOCS.read_text(), "write it anew: python -m tests.training.memory_table"


def test_a_full_fine_tune_in_float32_holds_five_numbers_a_parameter_and_copies_three_twice():
    found = memory()
    assert found.gradients == found.optimizer == 2 * found.parameters
    assert found.snapshot == 2 * 3 * found.parameters


def test_adapters_spare_gradients_moments_and_copies_but_not_the_parameters():
    full, adapters = memory(), memory(model={"size": "medium", "lora": {"rank": 8}})
    assert adapters.parameters > full.parameters
    for part in ("gradients", "optimizer", "snapshot"):
        assert getattr(adapters, part) < getattr(full, part) / 10


@pytest.mark.parametrize(
    "change",
    [
        {"training": {"steps": 1, "microbatch": 4}},
        {"data": {"max_length": 512}},
        {"training": {"steps": 1, "microbatch": 4, "dtype": "bfloat16"}, "data": {"max_length": 512}},
    ],
)
def test_longer_and_more_sequences_at_once_take_more(change):
    assert memory(**change).activations > memory().activations


def test_an_update_of_many_parts_is_held_whole_before_it_is_computed():
    parts = memory(training={"steps": 1, "microbatch": 2, "batch_size": 1024, "gradient_accumulation": 1024})
    assert parts.activations == memory().activations
    assert parts.batch > 2**30


def test_a_mesh_splits_what_is_kept_and_gathers_what_is_used():
    alone, shared = memory(), memory(8, mesh={"fsdp": 8})
    assert (shared.devices, shared.parameters) == (8, alone.parameters // 8)
    assert shared.optimizer == alone.optimizer // 8
    assert (alone.gathered, shared.gathered) == (0, alone.parameters)
    assert memory(8).devices == 8
    assert memory(8).parameters == alone.parameters


def test_what_does_not_fit_is_told_with_the_largest_parts_and_a_way_out():
    needed = memory()
    require_memory(needed, needed.total)
    require_memory(needed, None)
    with pytest.raises(Invalid, match=r"^model: needs about .* GiB of memory and this machine has .*optimiser .*lora"):
        require_memory(needed, needed.total - 1)
    with pytest.raises(Invalid, match="a device has"):
        require_memory(needed, needed.device - 1, device=True)


def test_the_engine_tunix_has_one_device_and_computes_a_whole_update_at_once():
    config = TrainConfig.from_dict({"training": {"steps": 1, "batch_size": 8, "gradient_accumulation": 2}})
    shape = config.shape(512)
    own, tunix = run_memory(config, shape, devices=4), run_memory(config, shape, engine="tunix", devices=4)
    assert (own.devices, tunix.devices) == (4, 1)
    assert tunix.activations > 8 * own.activations  # 16 sequences where our own step has 2


def test_a_run_may_take_what_the_environment_says(monkeypatch):
    monkeypatch.delenv("RUN_MEMORY_BYTES", raising=False)
    assert allowed_memory() == machine_memory()
    monkeypatch.setenv("RUN_MEMORY_BYTES", "1000")
    assert allowed_memory() == 1000
    monkeypatch.setenv("RUN_MEMORY_BYTES", "much")
    with pytest.raises(Invalid, match=r"^RUN_MEMORY_BYTES: must be a number of bytes, not 'much'"):
        allowed_memory()


def test_this_process_and_this_machine_can_be_asked():
    held, there = peak_memory(), machine_memory()
    assert held is not None
    assert there is not None
    assert 10 * 2**20 < held < there
