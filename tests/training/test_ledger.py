"""The ledger without an engine: records in, ranked rows and lists out, over kills and torn tails."""

import json
import random

import numpy as np
import pytest

from training.journal import Journal, Update
from training.ledger import LOOK, append_looks, looks_at, read_ledger
from training.packing import Example, PackedData


def records(*looks: tuple) -> np.ndarray:
    """(step, row, tokens, loss) each."""
    return np.array(list(looks), LOOK)


def journal(run_dir, step: int = 0, rows: int = 4) -> Journal:
    writer = Journal(run_dir, step=step, total=100, log_every=None, tokens=0, elapsed=0.0)
    writer.taught({"id": f"row{number}", "prompt": f"{number}?"} for number in range(rows))
    return writer


def update(step: int, looks: np.ndarray, loss: float = 0.5) -> Update:
    return Update(step=step, epoch=0.1, tokens=9, learning_rate=0.1, loss=loss, grad_norm=1.0, looks=looks)


def kept(run_dir, losses: dict[str, list[float]]):
    """A ledger in which each row has these losses, one a step."""
    writer = journal(run_dir, rows=len(losses))
    for step, found in enumerate(zip(*losses.values(), strict=True), start=1):
        writer.update(update(step, records(*((step, row, 1, loss) for row, loss in enumerate(found)))))
    return read_ledger(run_dir)


def ids(run_dir, fates) -> list[str]:
    return read_ledger(run_dir).id_of(fate.row for fate in fates)


def test_a_row_is_found_by_its_id_and_an_id_by_its_number(tmp_path):
    tricky = ["a", 'b","sha256":"x', "c\n", "ü", "0"]
    writer = journal(tmp_path)
    writer.taught({"id": name} for name in tricky)
    writer.update(update(1, records((1, 4, 3, 0.5))))
    found = read_ledger(tmp_path)
    assert found.id_of([4, 0, 2, 1]) == ["0", "a", "c\n", 'b","sha256":"x']
    assert [found.number_of(name) for name in [*tricky, "b", "absent"]] == [0, 1, 2, 3, 4, None, None]


def test_the_rows_of_a_step_are_ranked_with_what_is_no_number_first(tmp_path):
    writer = journal(tmp_path)
    writer.update(update(3, records((3, 0, 5, 0.1), (3, 1, 5, 0.9), (3, 2, 5, np.nan), (3, 3, 5, 0.4))))
    assert read_ledger(tmp_path).at(3)["row"].tolist() == [2, 1, 3, 0]
    assert read_ledger(tmp_path).at(4).tolist() == []


def test_steps_have_neighbours_and_a_step_between_leads_to_the_next(tmp_path):
    writer = journal(tmp_path)
    for step in (2, 3, 7):
        writer.update(update(step, records((step, 0, 5, 0.5), (step, 1, 5, 0.5))))
    found = read_ledger(tmp_path)
    assert found.steps().tolist() == [2, 3, 7]
    assert [found.neighbours(step) for step in (2, 3, 5, 7)] == [(None, 3), (2, 7), (3, 7), (3, None)]
    assert [found.nearest(step) for step in (0, 3, 4, 99)] == [2, 3, 7, 7]
    assert found.history(1)["step"].tolist() == [2, 3, 7]


def test_losses_by_place_become_losses_by_row(tmp_path):
    examples = [Example(f"row{i}", np.arange(length + 1, dtype=np.int32), 2) for i, length in enumerate([6, 3, 5, 4])]
    data = PackedData(examples, length=10, batch_size=2, packing=True, seed=1, epochs=3)
    for number in range(len(data)):
        batch, rows = data.batch(number), data.rows(number)
        losses = np.random.default_rng(number).random(batch.tokens.shape, np.float32) * batch.loss_mask
        padded = np.concatenate([losses, losses])  # what devices dealt an even number of sequences leave behind
        looks = looks_at(number, batch, rows, padded)
        assert looks["row"].tolist() == [row for group in rows for row in group]
        assert looks["tokens"].tolist() == [examples[row].length - 1 for row in looks["row"]]
        assert (looks["loss"] * looks["tokens"]).sum() == pytest.approx(losses.sum(), rel=1e-5)


def test_however_a_run_is_killed_and_resumed_its_ledger_is_that_of_one_that_was_not(tmp_path):
    """Kills leave whole updates, updates in part, torn records; a resume begins after any step at or before them."""
    chance, whole = random.Random(7), journal(tmp_path / "whole")
    updates = [
        update(step, records(*((step, chance.randrange(4), 7, chance.random()) for _ in range(chance.randint(1, 5)))))
        for step in range(1, 41)
    ]
    for each in updates:
        whole.update(each)
    expected = (tmp_path / "whole" / "ledger" / "losses.bin").read_bytes()
    for kill in range(20):
        run, begin, died = tmp_path / f"run{kill}", 0, 0
        while died < 40:
            writer, died = journal(run, step=begin), chance.randint(begin, 40)
            for each in updates[begin:died]:
                writer.update(each)
            if died < 40:
                torn = updates[died].looks.tobytes()
                path = run / "ledger" / "losses.bin"
                with path.open("ab") as file:
                    file.write(torn[: chance.randrange(len(torn))])
                found = read_ledger(run)
                assert found is None or found.looks.tobytes() == expected[: found.looks.nbytes]
            begin = chance.randint(begin, died)
        assert (run / "ledger" / "losses.bin").read_bytes() == expected


def test_who_reads_while_a_run_begins_again_sees_the_file_it_opened(tmp_path):
    writer = journal(tmp_path)
    for step in range(1, 2000):
        writer.update(update(step, records((step, 0, 5, 0.5))))
    reader = read_ledger(tmp_path)
    journal(tmp_path, step=1)
    assert reader.looks["step"].sum() == 1999 * 1000
    assert len(read_ledger(tmp_path).looks) == 1


def test_rows_that_never_came_down_and_rows_that_went_up_again_are_told_apart(tmp_path):
    learned = {f"row{row}": [3.0, 0.2, 0.1 + row / 1000] for row in range(40)}
    found = kept(tmp_path, learned | {"row40": [3.0, 2.5, 2.0], "row41": [3.0, 0.05, 1.0], "row42": [3.0, 2.9, 2.8]})
    assert ids(tmp_path, found.never_learned()) == ["row42", "row40"]
    assert ids(tmp_path, found.forgotten()) == ["row41"]
    assert 0.139 < found.threshold < 0.25
    assert found.forgotten()[0] == (41, 3, np.float32(0.05), 1.0, 3)


def test_a_row_that_was_last_no_number_was_forgotten_and_one_that_never_was_one_never_learned(tmp_path):
    found = kept(tmp_path, {"a": [0.5, 0.5], "b": [0.5, np.nan], "c": [np.nan, np.nan]})
    assert [fate.row for fate in found.forgotten()] == [1]
    assert [fate.row for fate in found.never_learned()] == [2]


def test_rows_that_are_all_alike_are_in_no_list_and_rows_never_looked_at_are_in_none(tmp_path):
    found = kept(tmp_path, {f"row{row}": [1.0, 0.5] for row in range(5)})
    assert (found.never_learned(), found.forgotten()) == ([], [])
    journal(tmp_path, step=2, rows=90)
    append_looks(tmp_path, records((3, 80, 1, 0.5)))
    assert read_ledger(tmp_path).never_learned() == []


def test_a_run_without_records_has_no_ledger_yet(tmp_path):
    assert read_ledger(tmp_path) is None
    writer = journal(tmp_path)
    assert read_ledger(tmp_path) is None
    writer.update(update(1, records((1, 0, 5, 0.5))))
    assert len(read_ledger(tmp_path).looks) == 1


def test_the_update_that_gave_no_number_is_in_the_ledger_for_its_rows_are_what_one_looks_for(tmp_path):
    writer = journal(tmp_path)
    with pytest.raises(Exception, match="step 1 gave loss nan"):
        writer.update(update(1, records((1, 0, 5, 0.5), (1, 1, 5, np.nan)), loss=float("nan")))
    assert read_ledger(tmp_path).at(1)["row"].tolist() == [1, 0]


def test_each_row_has_its_id_and_the_checksum_of_all_it_is(tmp_path):
    journal(tmp_path)
    lines = (tmp_path / "ledger" / "rows.jsonl").read_text().splitlines()
    assert [list(json.loads(line)) for line in lines] == [["id", "sha256"]] * 4
    assert len({json.loads(line)["sha256"] for line in lines}) == 4


def test_how_one_row_was_learned_is_what_the_lists_say_of_it(tmp_path):
    rng = np.random.default_rng(3)
    losses = {f"row{row}": [2.0, *rng.choice([0.1, 0.11, 0.12, 3.0], 4)] for row in range(60)}
    losses["row7"] = [2.0, 3.0, 3.0, 3.0, 3.0]
    found = kept(tmp_path, losses)
    lists = {"never learned": found.never_learned(), "forgotten": found.forgotten()}
    listed = {fate.row: name for name, fates in lists.items() for fate in fates}
    assert set(listed.values()) == set(lists)
    told = found.learning([*range(60), 77])
    assert {row: learning.verdict for row, learning in told.items()} == {
        row: listed.get(row, "learned") for row in range(60)
    }
    for row, learning in told.items():
        seen = losses[f"row{row}"]
        assert (learning.looks, learning.first) == (5, 2.0)
        assert learning.last == pytest.approx(seen[-1])
