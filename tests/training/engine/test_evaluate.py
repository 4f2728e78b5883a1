import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from training import lifeline
from training.canonical import canonical_json
from training.config import TrainConfig
from training.decision import decide
from training.engine.evaluate import examine, examine_run, load_model
from training.engine.loop import train
from training.errors import Invalid
from training.eval_generate import main as eval_generate
from training.evalsets import item_from_row
from training.lifeline import Failure
from training.problems import generate_traces
from training.record import new_record
from training.results import read_results

CONFIG = TrainConfig.from_dict(
    {
        "tokenizer": {"vocab_size": 300},
        "data": {"max_length": 96},
        "training": {"steps": 2, "batch_size": 2},
        "eval": {"max_new_tokens": 4, "samples": 0},
        "checkpoint": {"every": 1},
    }
).resolved(seed=2**63 - 1)
TRACES = generate_traces("chain", count=12, seed=1, difficulty=2)
ROWS = [{**trace, "id": f"row{i}", "split": "test" if i > 8 else "train"} for i, trace in enumerate(TRACES)]
ITEMS = [item_from_row(row) for row in ROWS if row["split"] == "test"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("run")
    record = new_record(CONFIG, run_id="r", dataset_key=None, dataset_sha256="0" * 64, parent=None)
    train(CONFIG, ROWS, run, record=record)
    return run


@pytest.fixture(scope="module")
def model(run):
    return load_model(run / "checkpoints")


def test_each_item_has_its_row_in_order(model):
    rows = examine(model, ITEMS[::-1])
    assert [row["id"] for row in rows] == [item["id"] for item in ITEMS[::-1]]
    fields = {"id", "prompt", "expected_answer", "output", "answer", "correct", "judges", "output_tokens"}
    assert all(set(row) == fields | {"finish_reason", "loss"} for row in rows)
    assert all(row["loss"] > 0 for row in rows)


def test_a_row_does_not_depend_on_its_company(model):
    together = examine(model, ITEMS)
    for item, row in zip(ITEMS, together, strict=True):
        alone = examine(model, [item])[0]
        assert alone["output"] == row["output"]
        assert alone["loss"] == pytest.approx(row["loss"], rel=1e-6)


def test_the_same_checkpoint_and_items_give_the_same_bytes(model, run):
    assert canonical_json(examine(model, ITEMS)) == canonical_json(examine(load_model(run / "checkpoints"), ITEMS))


def test_what_is_drawn_follows_from_the_seed_and_the_item_s_id(model):
    def outputs(items, seed):
        training = replace(model.config.training, seed=seed)
        config = replace(model.config, training=training, eval=replace(model.config.eval, temperature=2.0))
        return {row["id"]: row["output"] for row in examine(replace(model, config=config), items)}

    drawn = outputs(ITEMS, seed=1)
    assert outputs(ITEMS[::-1], seed=1) == drawn
    assert outputs(ITEMS[1:2], seed=1) == {ITEMS[1]["id"]: drawn[ITEMS[1]["id"]]}
    assert outputs([{**ITEMS[0], "id": "another"}], seed=1) != {"another": drawn[ITEMS[0]["id"]]}
    assert outputs(ITEMS, seed=2) != drawn


def test_a_stop_request_ends_an_examination_before_it_is_through(model, monkeypatch):
    monkeypatch.setattr(lifeline, "_stop", threading.Event())
    told: list[int] = []

    def progress(done: int) -> None:
        told.append(done)
        if done:
            lifeline._stop.set()

    items = [{**ITEMS[0], "id": str(i)} for i in range(100)]
    with pytest.raises(Failure, match="stopped on request"):
        examine(model, items, progress)
    assert 0 < told[-1] < len(items)


def test_flags_say_how_a_token_is_chosen_and_are_checked_as_the_config_is(run, model, tmp_path, capsys):
    evalset, output = tmp_path / "evalset.jsonl", tmp_path / "answers.jsonl"
    evalset.write_text("".join(f"{canonical_json(item)}\n" for item in ITEMS))
    asked = ["--checkpoint", str(run / "checkpoints"), "--evalset", str(evalset), "--output", str(output)]

    def outputs(*flags: str) -> list[str]:
        assert eval_generate([*asked, *flags]) == lifeline.OK
        return [json.loads(line)["output"] for line in output.read_text().splitlines()]

    greedy = [row["output"] for row in examine(model, ITEMS)]
    assert outputs("--temperature", "2", "--top_k", "1") == greedy
    assert outputs("--temperature", "2") != greedy
    assert eval_generate([*asked, "--top_p", "2"]) == lifeline.BAD_CONFIG
    assert "top_p" in capsys.readouterr().err


def test_an_item_without_a_reference_has_no_loss(model):
    item = {name: value for name, value in ITEMS[0].items() if name != "steps"}
    assert "loss" not in examine(model, [item])[0]


def test_a_prompt_that_is_too_long_is_skipped_and_counted(run, model):
    items = [*ITEMS, {**ITEMS[0], "id": "long", "prompt": "1" * 200}]
    row = examine(model, items)[-1]
    assert (row["finish_reason"], row["correct"], row["output"]) == ("skipped", None, "")
    examine_run(run, items, evalset="long")
    summary = json.loads((run / "eval.json").read_text())
    assert (summary["n_items"], summary["n_scored"], summary["n_skipped"]) == (4, 3, 1)


def test_an_examination_decides_from_its_rows_and_the_labels_of_its_items(run):
    items = [item | {"difficulty": f"level {place % 2}"} for place, item in enumerate(ITEMS)]
    examine_run(run, items, evalset="mine")
    summary = json.loads((run / "eval.json").read_text())
    found = decide(read_results(run / "eval_before.jsonl"), read_results(run / "eval_after.jsonl"), items)
    assert {name: summary[name] for name in found.to_dict()} == json.loads(json.dumps(found.to_dict()))
    assert {each["label"] for each in summary["slices"]} == {"level 0", "level 1"}
    assert f"**{found.decision}.**" in (run / "delta_report.md").read_text()


def test_progress_counts_every_item_once(model):
    told: list[int] = []
    examine(model, ITEMS, told.append)
    assert told == sorted(told)
    assert told[-1] == len(ITEMS)


def test_a_step_alone_leaves_the_run_s_own_result_as_it_is(run):
    examine_run(run, ITEMS, evalset="mine")
    before = (run / "eval.json").read_bytes()
    examine_run(run, ITEMS, evalset="mine", step=1)
    assert (run / "eval.json").read_bytes() == before
    assert json.loads((run / "eval_step_1.json").read_text())["checkpoint_step"] == 1
    assert len((run / "eval_step_1.jsonl").read_text().splitlines()) == len(ITEMS)


def test_a_damaged_checkpoint_is_not_examined(run, tmp_path):
    manifest = run / "checkpoints" / "1" / "MANIFEST.json"
    good = manifest.read_bytes()
    manifest.write_bytes(good.replace(b"0", b"1"))
    with pytest.raises(Invalid, match="missing or damaged"):
        load_model(run / "checkpoints" / "1")
    manifest.write_bytes(good)
