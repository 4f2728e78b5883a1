import json
import math

import pytest

from training.journal import Journal, Update
from training.lifeline import NONFINITE, Failure


def journal(run_dir, **changes) -> Journal:
    return Journal(run_dir, **{"step": 0, "total": 10, "log_every": 1, "tokens": 0, "elapsed": 0.0} | changes)


def update(step: int, loss: float = 0.5, grad_norm: float = 1.0) -> Update:
    return Update(step=step, epoch=step / 10, tokens=100, learning_rate=1e-3, loss=loss, grad_norm=grad_norm)


def lines(run_dir) -> list[dict]:
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def test_a_line_has_every_field_of_the_contract(tmp_path):
    writer = journal(tmp_path)
    writer.update(update(1))
    writer.valid(update(1), 0.75)
    train, valid = lines(tmp_path)
    names = ["step", "split", "loss", "learning_rate", "grad_norm", "tokens", "tokens_per_second", "elapsed_s", "epoch"]
    assert list(train) == list(valid) == [*names, "peak_memory_bytes"]
    assert train["peak_memory_bytes"] > 10 * 2**20
    assert (train["split"], train["loss"], train["tokens"]) == ("train", 0.5, 100)
    assert (valid["split"], valid["loss"], valid["step"]) == ("valid", 0.75, 1)


def test_a_valid_loss_that_is_no_number_is_named_and_the_run_goes_on(tmp_path):
    writer = journal(tmp_path)
    writer.valid(update(1), math.inf)
    writer.update(update(2))
    valid, train = lines(tmp_path)
    assert (valid["loss"], valid["nonfinite"]) == (None, "inf")
    assert "nonfinite" not in train


def test_only_the_first_the_last_and_every_nth_update_is_logged_but_all_tokens_count(tmp_path):
    writer = journal(tmp_path, log_every=4)
    for step in range(1, 11):
        writer.update(update(step))
    assert [(line["step"], line["tokens"]) for line in lines(tmp_path)] == [(1, 100), (4, 400), (8, 800), (10, 1000)]


def test_a_long_run_writes_about_a_thousand_lines_unless_told_otherwise(tmp_path):
    writer = journal(tmp_path, total=100_000, log_every=None)
    for step in range(1, 301):
        writer.update(update(step))
    assert [line["step"] for line in lines(tmp_path)] == [1, 100, 200, 300]


@pytest.mark.parametrize(("loss", "grad_norm", "name"), [(math.nan, 1.0, "nan"), (0.5, math.inf, "inf")])
def test_a_number_that_is_none_ends_the_run_with_a_line_of_plain_json(tmp_path, loss, grad_norm, name):
    writer = journal(tmp_path, log_every=5)
    writer.update(update(1))
    with pytest.raises(Failure) as failure:
        writer.update(update(2, loss, grad_norm))
    assert failure.value.code == NONFINITE
    last = lines(tmp_path)[-1]
    assert (last["step"], last["nonfinite"]) == (2, name)
    assert None in (last["loss"], last["grad_norm"])
    assert "NaN" not in (tmp_path / "metrics.jsonl").read_text()


def test_a_resumed_journal_forgets_what_will_be_done_again(tmp_path):
    writer = journal(tmp_path)
    for step in range(1, 6):
        writer.update(update(step))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "spl')  # torn by a kill
    resumed = journal(tmp_path, step=3, tokens=300, elapsed=50.0)
    resumed.update(update(4))
    found = lines(tmp_path)
    assert [line["step"] for line in found] == [1, 2, 3, 4]
    assert found[-1]["tokens"] == 400
    assert found[-1]["elapsed_s"] >= 50


def test_the_log_begins_each_line_with_the_time(tmp_path):
    journal(tmp_path).say("hello")
    assert (tmp_path / "train.log").read_text().endswith("Z hello\n")


def test_a_log_that_cannot_be_written_does_not_end_the_run(tmp_path):
    (tmp_path / "train.log").mkdir()
    journal(tmp_path).say("hello")
