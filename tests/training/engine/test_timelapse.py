"""Every checkpoint examined: of a run that was trained for too long, in spite of interruptions, by every door alike."""

import json
import shutil
import signal
from pathlib import Path

import pytest

from tests import overtraining
from tests.training.engine.test_train_jax import CONFIG, done, ended, kill_after, start
from training import lifeline
from training.canonical import canonical_json
from training.config import TrainConfig
from training.engine import checkpoint, evaluate
from training.engine.evaluate import examine_run, load_model
from training.engine.loop import train
from training.evalsets import item_from_row, write_evalset
from training.examinations import ASIDE
from training.export_weights import main as export_weights
from training.record import new_record
from training.results import read_results

pytestmark = pytest.mark.slow
ROWS = overtraining.rows()
ITEMS = [item_from_row(row) for row in ROWS if row["split"] == "test"]
STEPS = [0, 40, 80, 120, 160, 200, 240]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    overtraining.install_weights(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNIXRT_HOME", str(home))
        yield home


@pytest.fixture(scope="module")
def trained(home) -> Path:
    """Trained for too long, not examined."""
    config = TrainConfig.from_dict(overtraining.CONFIG).resolved(seed=1)
    record = new_record(config, run_id="r", dataset_key=None, dataset_sha256="0" * 64, parent=None)
    train(config, ROWS, home / "run", record=record)
    return home / "run"


@pytest.fixture(scope="module")
def examined(home, trained) -> Path:
    run = shutil.copytree(trained, home / "examined")
    examine_run(run, ITEMS, evalset="held out")
    return run


@pytest.fixture
def run(trained, tmp_path) -> Path:
    return shutil.copytree(trained, tmp_path / "run")


def summary(run: Path) -> dict:
    return json.loads((run / "eval.json").read_text())


def results(run: Path) -> dict[str, bytes]:
    """The rows of an examination, file by file."""
    return {path.name: path.read_bytes() for path in run.glob("eval_*.jsonl")}


def test_an_earlier_checkpoint_of_a_run_trained_for_too_long_is_chosen(examined):
    found = summary(examined)
    best = found["timelapse"]["best"]
    steps = {step["checkpoint_step"]: step for step in found["timelapse"]["steps"]}
    assert list(steps) == STEPS
    assert found["checkpoint_step"] == best["last_step"] == 240
    assert found["best_step"] == best["checkpoint_step"] < 240
    assert steps[found["best_step"]]["correct"] >= steps[240]["correct"] + 8
    assert best["told_apart"]
    assert found["metrics"]["answer_correctness"] < best["expected_correctness"]
    assert best["expected_correctness"] <= steps[found["best_step"]]["answer_correctness"]


def test_what_it_was_taught_it_knew_better_and_better_meanwhile(examined):
    lines = [json.loads(line) for line in (examined / "metrics.jsonl").read_text().splitlines()]
    losses = {line["step"]: line["loss"] for line in lines if line["split"] == "train"}
    assert losses[240] < losses[summary(examined)["best_step"]] / 2


def test_the_forgotten_items_are_those_that_were_right_and_are_wrong_at_the_last(examined):
    right = {
        step: {row["id"] for row in read_results(examined / f"eval_step_{step}.jsonl") if row["correct"]}
        for step in STEPS
    }
    once = set().union(*right.values())
    forgotten = {item["id"]: item["last_right_step"] for item in summary(examined)["timelapse"]["forgotten"]}
    assert forgotten.keys() == once - right[240] != set()
    for key, step in forgotten.items():
        assert step == max(step for step, keys in right.items() if key in keys)


def test_before_after_and_each_step_hold_the_same_rows(examined):
    files = results(examined)
    assert files.keys() == {f"eval_step_{n}.jsonl" for n in STEPS} | {"eval_before.jsonl", "eval_after.jsonl"}
    assert files["eval_step_0.jsonl"] == files["eval_before.jsonl"]
    assert files["eval_step_240.jsonl"] == files["eval_after.jsonl"]
    assert all(json.loads((examined / f"eval_step_{n}.json").read_text())["checkpoint_step"] == n for n in STEPS)
    assert not (examined / ASIDE).exists()


def test_all_checkpoints_stay_until_they_were_examined_and_then_the_chosen_one_does(trained, examined, tmp_path):
    best = summary(examined)["best_step"]
    assert checkpoint.steps(trained / "checkpoints") == STEPS
    assert checkpoint.steps(examined / "checkpoints") == [0, best, 240]
    assert load_model(examined / "checkpoints" / str(best)).step == best


def test_the_plan_knew_how_many_there_would_be_and_how_large(trained):
    plan = json.loads((trained / "plan.json").read_text())
    files = [file for file in (trained / "checkpoints" / "240").rglob("*") if file.is_file()]
    assert plan["checkpoints"] == len(STEPS)
    assert 0.9 < len(STEPS) * sum(file.stat().st_size for file in files) / plan["checkpoint_bytes"] < 1.2


def test_the_chosen_checkpoint_is_exported_as_weights(examined, tmp_path, monkeypatch):
    monkeypatch.setattr("training.exporting.start_jax", lambda device: None)  # it runs already
    chosen = examined / "checkpoints" / str(summary(examined)["best_step"])
    assert export_weights(["--checkpoint", str(chosen), "--output", str(tmp_path / "weights")]) == lifeline.OK
    assert (tmp_path / "weights" / "model.safetensors").exists()


def test_examined_again_a_run_keeps_what_checkpoints_answered_that_are_gone(examined, tmp_path):
    again = shutil.copytree(examined, tmp_path / "again")
    examine_run(again, ITEMS, evalset="held out")
    assert results(again) == results(examined)
    assert summary(again)["timelapse"] == summary(examined)["timelapse"]
    assert checkpoint.steps(again / "checkpoints") == checkpoint.steps(examined / "checkpoints")


def test_answers_to_other_items_are_not_mixed_in(examined, tmp_path):
    again = shutil.copytree(examined, tmp_path / "again")
    examine_run(again, ITEMS[:9], evalset="nine")
    left = checkpoint.steps(examined / "checkpoints")
    assert [step["checkpoint_step"] for step in summary(again)["timelapse"]["steps"]] == left


def test_a_checkpoint_that_is_gone_is_judged_by_the_judges_of_today(examined, tmp_path):
    again = shutil.copytree(examined, tmp_path / "again")
    gone = next(step for step in STEPS if not (again / "checkpoints" / str(step)).exists())
    path = again / f"eval_step_{gone}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"judges": {"answer_correctness": 0}}))
    rows = path.with_suffix(".jsonl").read_bytes()
    examine_run(again, ITEMS, evalset="held out")
    assert path.with_suffix(".jsonl").read_bytes() == rows
    assert json.loads(path.read_text())["judges"] == summary(again)["judges"]


def test_an_examination_that_was_cut_off_is_gone_on_with(run, examined, monkeypatch):
    asked: list[int] = []
    examine = evaluate.examine

    def dying(model, *rest):
        asked.append(model.step)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return examine(model, *rest)

    monkeypatch.setattr(evaluate, "examine", dying)
    with pytest.raises(KeyboardInterrupt):
        examine_run(run, ITEMS, evalset="held out")
    assert results(run) == {}
    assert not (run / "eval.json").exists()
    assert checkpoint.steps(run / "checkpoints") == STEPS
    torn = run / ASIDE / "eval_step_40.jsonl"
    torn.write_bytes(torn.read_bytes()[:-9])
    examine_run(run, ITEMS, evalset="held out")
    assert asked == [0, 40, 80, 120, 40, 120, 160, 200, 240]
    assert results(run) == results(examined)


def test_what_another_program_or_other_items_left_is_not_gone_on_with(run, monkeypatch):
    monkeypatch.setattr(evaluate, "publish", lambda *rest: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        examine_run(run, ITEMS[:3], evalset="three")
    monkeypatch.undo()
    asked: list[int] = []
    examine = evaluate.examine
    monkeypatch.setattr(evaluate, "examine", lambda model, *rest: asked.append(model.step) or examine(model, *rest))
    examine_run(run, ITEMS[:4], evalset="four")
    assert asked == STEPS


def test_a_damaged_checkpoint_in_between_is_told_of_and_left_out(run, capsys):
    manifest = run / "checkpoints" / "80" / "MANIFEST.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"0", b"1"))
    examine_run(run, ITEMS[:3], evalset="three")
    assert "checkpoint 80 is damaged and left out" in capsys.readouterr().out
    steps = [step["checkpoint_step"] for step in summary(run)["timelapse"]["steps"]]
    assert steps == [step for step in STEPS if step != 80]


def test_every_door_gives_the_same_bytes(tmp_path):
    """Training that examines at its end, a process that examines, and one that was killed and began again."""
    (tmp_path / "config.yaml").write_text(CONFIG.replace("samples: 0", "samples: 0, checkpoints: true"))
    (tmp_path / "data.jsonl").write_text("".join(f"{canonical_json(row)}\n" for row in ROWS))
    write_evalset(tmp_path / "items.jsonl", ITEMS[:6])
    evalset = ("--evalset", str(tmp_path / "items.jsonl"))
    trained = done(tmp_path, tmp_path / "trained")
    asked, killed = (shutil.copytree(trained, tmp_path / name) for name in ("asked", "killed"))
    at_the_end = done(tmp_path, tmp_path / "at_the_end", "--eval_after_train", *evalset)

    process = start(tmp_path, killed, "--run", str(killed), *evalset, module="eval_run")
    kill_after(process, "phase · message examining step 4", signal.SIGKILL)
    ended(process)
    assert (killed / ASIDE / "eval_step_2.json").exists()
    assert not list(killed.glob("eval*"))
    for run in (asked, killed):
        code, _, err = ended(start(tmp_path, run, "--run", str(run), *evalset, module="eval_run"))
        assert code == lifeline.OK, err
        assert results(run) == results(at_the_end)
    assert len(results(at_the_end)) == 2 + 5
