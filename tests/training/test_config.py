from dataclasses import fields

import pytest

from training.config import CONFIGS, TrainConfig, load_config, named_config
from training.errors import Invalid

SMALLEST = {"training": {"steps": 10}}


def faults(obj) -> dict[str, str]:
    """Code by dotted path of everything wrong with a config."""
    with pytest.raises(Invalid) as error:
        TrainConfig.from_dict(obj)
    return {".".join(map(str, fault.loc)): fault.type for fault in error.value.faults}


def test_defaults_are_spelled_out_and_read_back_as_the_same_config():
    config = TrainConfig.from_dict(SMALLEST)
    resolved = config.to_dict()
    assert all(len(resolved[section.name]) == len(fields(section.type)) for section in fields(TrainConfig))
    assert TrainConfig.from_dict(resolved) == config
    assert TrainConfig.from_dict(resolved).sha256() == config.sha256()


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_that_ships_is_valid(name):
    assert named_config(name).training


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("steps", 0, "number_out_of_range"),
        ("steps", 10**12, "number_out_of_range"),
        ("steps", 10.0, "wrong_type"),
        ("steps", " 7 ", "wrong_type"),
        ("steps", True, "wrong_type"),
        ("batch_size", 0, "number_out_of_range"),
        ("batch_size", 10**9, "number_out_of_range"),
        ("learning_rate", 0, "number_out_of_range"),
        ("learning_rate", -1, "number_out_of_range"),
        ("learning_rate", 1e9, "number_out_of_range"),
        ("learning_rate", float("nan"), "non_finite"),
        ("learning_rate", "1e-4", "wrong_type"),
        ("seed", -1, "number_out_of_range"),
        ("seed", 2**63, "number_out_of_range"),
        ("schedule", "sometimes", "unknown_value"),
        ("momentum", 0.9, "unknown_field"),
    ],
)
def test_a_wrong_field_is_named_by_its_path(field, value, code):
    assert faults({"training": {"steps": 10} | {field: value}}) == {f"training.{field}": code}


def test_all_faults_are_told_at_once():
    wrong = {"model": {"size": "huge"}, "data": {"packing": 1, "recipe": "x"}, "training": 3, "mess": {}}
    assert faults(wrong) == {
        "mess": "unknown_field",
        "model.size": "unknown_value",
        "data.packing": "wrong_type",
        "data.recipe": "unknown_value",
        "training": "wrong_type",
    }


@pytest.mark.parametrize("training", [{}, {"steps": 1, "epochs": 1}])
def test_exactly_one_of_steps_and_epochs(training):
    assert faults({"training": training}) == {"training": "missing_field"}


def test_a_warm_up_longer_than_the_training_is_refused():
    assert faults({"training": {"steps": 5, "warmup": 6}}) == {"training.warmup": "number_out_of_range"}


def test_whole_numbers_widen_to_numbers_so_that_equal_configs_hash_equally():
    one, same = ({"training": {"steps": 1, "weight_decay": zero}} for zero in (0, 0.0))
    assert TrainConfig.from_dict(one).sha256() == TrainConfig.from_dict(same).sha256()


def test_config_over_manifest_over_default():
    manifest = {"recipe": "answer_only_v1", "instruction": "Be brief"}
    bare = TrainConfig.from_dict(SMALLEST)
    told = TrainConfig.from_dict(SMALLEST | {"data": {"recipe": "trace_sft_v1", "system_instruction": ""}})
    given = lambda config: (config.data.recipe, config.data.system_instruction)  # noqa: E731
    assert given(bare.resolved()) == ("trace_sft_v1", "Show your work as steps")
    assert given(bare.resolved(manifest=manifest)) == ("answer_only_v1", "Be brief")
    assert given(told.resolved(manifest=manifest)) == ("trace_sft_v1", "")
    tagged = TrainConfig.from_dict(SMALLEST | {"data": {"recipe": "reasoning_tags_v1"}})
    assert "between <reasoning> and </reasoning>" in tagged.resolved().data.system_instruction
    assert given(tagged.resolved(manifest=manifest)) == ("reasoning_tags_v1", "Be brief")


def test_a_manifest_with_a_recipe_that_is_none_is_refused():
    for recipe in ("chatty", ["trace_sft_v1"], 7):
        with pytest.raises(Invalid, match="is no recipe"):
            TrainConfig.from_dict(SMALLEST).resolved(manifest={"recipe": recipe})


def test_a_seed_not_given_is_drawn_once():
    bare = TrainConfig.from_dict(SMALLEST)
    assert bare.resolved(seed=7).training.seed == 7
    assert bare.resolved(seed=0).training.seed == 0
    assert bare.resolved().training.seed != bare.resolved().training.seed


def test_a_fault_in_a_file_has_its_line():
    with pytest.raises(Invalid, match=r"line 3, training.steps: must lie between 1 and 10000000, not 0"):
        load_config(b"# my run\ntraining:\n  steps: 0\n")


def test_json_is_read_by_the_same_rules():
    assert load_config(b'{"training": {"steps": 10}}') == TrainConfig.from_dict(SMALLEST)
    with pytest.raises(Invalid):
        load_config(b'{"training": {"steps": 10, "steps": 11}}')


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(Invalid, match=r"use one of: .*tiny"):
        named_config("../secrets")
