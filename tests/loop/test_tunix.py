"""A run of the engine tunix with real processes: launched, taught by a worker, examined, cancelled like any other."""

import json

import pytest

from tests.loop.test_whole_loop import finish, lines, statuses
from tests.needs import PEERS_PYTHON
from tests.stack import Stack, eventually

pytestmark = [pytest.mark.slow, pytest.mark.peers]

TWENTY = {"training": {"steps": 20}, "eval": {"every": 10, "max_new_tokens": 32}, "checkpoint": {"every": 10}}


@pytest.fixture
def installation(embedded) -> Stack:
    embedded.environment["TUNIX_PYTHON"] = str(PEERS_PYTHON)
    embedded.manage("seed_dataset", "--dataset", "golden-v2")
    return embedded


def launch(installation: Stack, config: dict) -> str:
    path = installation.home / "config.json"
    path.write_text(json.dumps(config))
    arguments = ("--dataset", "golden-v2", "--config", str(path), "--seed", "7", "--engine", "tunix")
    return installation.ask("launch_run", *arguments)["id"]


def test_a_run_on_golden_v2_is_taught_by_tunix_and_examined_like_any_other(installation):
    run_id = launch(installation, TWENTY)
    installation.start_worker()
    installation.start_sweeper()
    run = finish(installation, run_id, 480)
    assert run["status"] == "completed", run["error"]
    assert run["engine"] == "tunix"
    assert statuses(installation, run_id) == ["pending", "training", "evaluating", "completed"]

    directory = installation.home / "artifacts" / "training_runs" / run_id
    assert json.loads((directory / "run.json").read_text())["engine"] == "tunix"
    trained = [line for line in lines(installation, run_id, "metrics.jsonl") if line["split"] == "train"]
    assert [line["step"] for line in trained] == list(range(1, 21))
    assert trained[-1]["loss"] < trained[0]["loss"] / 1.3
    assert (run["metrics"]["final_loss"], run["metrics"]["total_steps"]) == (trained[-1]["loss"], 20)
    assert {"0", "10", "20"} <= {path.name for path in (directory / "checkpoints").iterdir()}
    summary = json.loads((directory / "eval.json").read_text())
    assert summary["metrics"]["answer_correctness"] == run["metrics"]["answer_correctness"]
    stored = installation.shell(f"Prediction.objects.filter(evaluation__run='{run_id}').count()")
    assert stored == 2 * summary["n_items"]
    assert "won" in (directory / "delta_report.md").read_text()


def test_a_run_of_tunix_is_cancelled_in_the_middle_of_training(installation):
    run_id = launch(installation, TWENTY | {"training": {"steps": 100_000}})
    installation.start_worker()
    metrics = installation.home / "artifacts" / "training_runs" / run_id / "metrics.jsonl"
    eventually(lambda: metrics.exists() and metrics.read_text().count("\n") > 1, 300, "training is under way")
    installation.manage("cancel_run", run_id)
    assert finish(installation, run_id, 60)["status"] == "cancelled"
