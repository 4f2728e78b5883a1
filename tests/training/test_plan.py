from dataclasses import replace

import pytest

from training.config import TrainConfig
from training.errors import Invalid
from training.plan import plan, prepare

CONFIG = TrainConfig.from_dict(
    {
        "tokenizer": {"vocab_size": 300},
        "data": {"max_length": 100},
        "training": {"epochs": 2, "batch_size": 2},
    }
).resolved(seed=1)


def row(name: str, split: str = "train", answer: str = "4") -> dict:
    steps = [{"i": 0, "type": "compute", "content": "2 + 2 = 4"}]
    return {"id": name, "split": split, "prompt": "What is 2 + 2?", "steps": steps, "final_answer": answer}


ROWS = [*(row(f"row{i}") for i in range(7)), row("watched", "valid"), row("asked", "test")]


def with_data(**changes) -> TrainConfig:
    return replace(CONFIG, data=replace(CONFIG.data, **changes))


def test_the_plan_tells_the_sizes_before_anything_runs():
    found = plan(CONFIG, ROWS)
    assert found.rows == {"train": 7, "valid": 1, "test": 1}
    assert found.epochs >= 2
    assert found.updates * CONFIG.batch_size >= 2 * 7 / 2
    assert 900_000 < found.parameters < 1_100_000
    assert found.overlong == {}
    assert found.memory_bytes > 16 * found.parameters


def test_a_row_that_does_not_fit_is_reported_not_cut():
    with pytest.raises(Invalid, match=r"1 rows are longer than 100 tokens: 'long' \(\d+\); the longest needs \d+"):
        prepare(CONFIG, [*ROWS, row("long", answer="7" * 200)])


def test_a_row_that_does_not_fit_is_dropped_and_counted_when_the_config_says_so():
    rows = [*ROWS, row("long", answer="7" * 200), row("long too", "valid", answer="8" * 200)]
    prepared = prepare(with_data(overlong="drop"), rows)
    assert set(prepared.overlong) == {"long", "long too"}
    assert {example.id for example in prepared.train} == {f"row{i}" for i in range(7)}
    assert [example.id for example in prepared.valid] == ["watched"]
    assert [row["id"] for row in prepared.taught(rows)] == [example.id for example in prepared.train]


@pytest.mark.parametrize("watched", [[], [row("long", "valid", answer="7" * 200)]])
def test_patience_without_a_loss_to_wait_for_is_refused(watched):
    config = with_data(overlong="drop")
    prepare(config, [row("taught"), *watched])
    patient = replace(config, training=replace(config.training, patience=3))
    with pytest.raises(Invalid) as refused:
        prepare(patient, [row("taught"), *watched])
    assert [fault.loc for fault in refused.value.faults] == [("training", "patience")]
    assert prepare(patient, ROWS).valid


def test_a_row_of_exactly_the_length_fits():
    longest = max(example.length for example in prepare(CONFIG, ROWS).train)
    assert prepare(with_data(max_length=longest), ROWS).overlong == {}
    with pytest.raises(Invalid):
        prepare(with_data(max_length=longest - 1), ROWS)


def test_both_recipes_share_one_tokenizer(tmp_path):
    for recipe in ("trace_sft_v1", "answer_only_v1"):
        prepare(with_data(recipe=recipe), ROWS).tokenizer.save(tmp_path / recipe)
    assert (tmp_path / "trace_sft_v1").read_bytes() == (tmp_path / "answer_only_v1").read_bytes()


def test_the_tokenizer_never_sees_what_is_held_out(tmp_path):
    secret = [row(f"secret{i}", "test", answer="zyzzyva zyzzyva") for i in range(9)]
    for name, rows in (("without", ROWS), ("with", [*ROWS, *secret])):
        prepare(CONFIG, rows).tokenizer.save(tmp_path / name)
    assert (tmp_path / "with").read_bytes() == (tmp_path / "without").read_bytes()


def test_nothing_to_train_on_is_an_error():
    with pytest.raises(Invalid, match="no row of the 1 is in the train split"):
        plan(CONFIG, [row("asked", "test")])


def test_epochs_are_no_more_updates_than_steps_may_be(monkeypatch):
    monkeypatch.setattr("training.plan.MAX_UPDATES", 5)
    many = TrainConfig.from_dict({"training": {"epochs": 6, "batch_size": 1}, "data": {"max_length": 256}}).resolved(
        seed=1
    )
    with pytest.raises(Invalid, match=r"^training\.epochs: are 6 updates of 1 sequences an epoch; at most 5 are done"):
        plan(many, [row("taught", "train")])


@pytest.mark.parametrize(
    ("steps", "every", "keep", "best", "examined", "together"),
    [
        (100, 10, 2, True, False, 5),  # the first, two newest, the best, and a new one until an older one goes
        (100, 10, 2, False, False, 4),
        (100, 10, 2, True, True, 11),
        (95, 10, 2, True, True, 11),  # the last is saved whatever its number
        (5, 10, 2, True, False, 2),
    ],
)
def test_the_plan_counts_the_checkpoints_that_lie_on_the_disk(steps, every, keep, best, examined, together):
    config = CONFIG.to_dict()
    config["training"] |= {"epochs": None, "steps": steps}
    config["checkpoint"] = {"every": every, "keep": keep, "best": best}
    config["eval"]["checkpoints"] = examined
    found = plan(TrainConfig.from_dict(config), ROWS)
    assert found.checkpoints == together
    assert found.checkpoint_bytes == together * 12 * found.parameters
