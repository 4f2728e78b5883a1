"""The whole loop with real processes: queue, worker, child, database, files."""

import json

import pytest

from tests.stack import Stack, eventually

pytestmark = pytest.mark.slow

QUICK = {  # learns nothing worth knowing, in a few seconds and many checkpoints
    "tokenizer": {"vocab_size": 300},
    "data": {"max_length": 192},
    "training": {"steps": 24, "batch_size": 2},
    "eval": {"every": 12, "max_new_tokens": 8},
    "checkpoint": {"every": 4, "keep": 2},
}
FINAL = {"completed", "training_failed", "evaluation_failed", "cancelled"}


def launch(installation: Stack, config: str | dict = QUICK) -> str:
    if isinstance(config, dict):
        path = installation.home / "config.json"
        path.write_text(json.dumps(config))
        config = str(path)
    installation.manage("seed_dataset", "--dataset", "golden-v2")
    return installation.ask("launch_run", "--dataset", "golden-v2", "--config", config, "--seed", "7")["id"]


def finish(installation: Stack, run_id: str, seconds: float = 240) -> dict:
    eventually(lambda: installation.status(run_id) in FINAL, seconds, f"run {run_id} ends")
    return installation.run(run_id)


def lines(installation: Stack, run_id: str, name: str) -> list[dict]:
    path = installation.home / "artifacts" / "training_runs" / run_id / name
    return [json.loads(line) for line in path.read_text().splitlines()]


def statuses(installation: Stack, run_id: str) -> list[str]:
    return installation.shell(f"list(Run.objects.get(pk='{run_id}').events.values_list('to_status', flat=True))")


def trained_steps(installation: Stack, run_id: str) -> list[int]:
    return [line["step"] for line in lines(installation, run_id, "metrics.jsonl") if line["split"] == "train"]


def test_a_run_goes_from_pending_to_completed_and_database_and_files_agree(installation):
    installation.start_worker()
    installation.start_sweeper()
    run_id = launch(installation, "golden")
    run = finish(installation, run_id)
    assert run["status"] == "completed", run["error"]
    assert statuses(installation, run_id) == ["pending", "training", "evaluating", "completed"]

    losses = [line["loss"] for line in lines(installation, run_id, "metrics.jsonl") if line["split"] == "train"]
    tenth = max(1, len(losses) // 10)
    assert sum(losses[-tenth:]) < sum(losses[:tenth]) / 4
    assert run["metrics"]["final_loss"] == losses[-1]

    directory = installation.home / "artifacts" / "training_runs" / run_id
    summary = json.loads((directory / "eval.json").read_text())
    rows = lines(installation, run_id, "eval_after.jsonl")
    stored = installation.shell(
        f"list(Prediction.objects.filter(evaluation__run='{run_id}', evaluation__stage='after', "
        "evaluation__status='completed').values('item__item_id', 'output', 'answer', 'correct'))"
    )
    assert [(r["item__item_id"], r["output"], r["answer"], r["correct"]) for r in stored] == [
        (r["id"], r["output"], r["answer"], r["correct"]) for r in rows
    ]
    assert summary["metrics"]["answer_correctness"] == sum(row["correct"] for row in rows) / len(rows)
    assert run["metrics"]["answer_correctness"] == summary["metrics"]["answer_correctness"]
    assert "won" in (directory / "delta_report.md").read_text()


def test_a_worker_killed_between_training_and_examination_leaves_no_run_behind(installation):
    run_id = launch(installation)
    installation.start_worker()
    eventually(lambda: installation.status(run_id) == "evaluating", 180, "training ends")
    installation.kill("worker")
    assert installation.status(run_id) == "evaluating"
    installation.start_sweeper()
    installation.start_worker()
    assert finish(installation, run_id)["status"] == "completed"
    assert statuses(installation, run_id)[-1] == "completed"
    assert statuses(installation, run_id).count("completed") == 1


def test_a_worker_killed_in_training_costs_no_step_and_doubles_none(embedded):
    run_id = launch(embedded, QUICK | {"training": {"steps": 60, "batch_size": 2}})
    embedded.start_worker("first")
    checkpoints = embedded.home / "artifacts" / "training_runs" / run_id / "checkpoints"
    eventually(lambda: any(checkpoints.glob("[1-9]*/MANIFEST.json")), 180, "a checkpoint is sealed")
    embedded.kill("first")
    embedded.start_sweeper()
    embedded.start_worker("second")
    run = finish(embedded, run_id)
    assert run["status"] == "completed", run["error"]
    assert run["attempt"] == 2
    steps = trained_steps(embedded, run_id)
    assert steps == sorted(set(steps))
    assert steps[-1] == run["metrics"]["total_steps"]


def test_a_run_is_cancelled_in_the_middle_of_training(embedded):
    run_id = launch(embedded, QUICK | {"training": {"steps": 100_000, "batch_size": 2}})
    embedded.start_worker()
    eventually(lambda: embedded.status(run_id) == "training", 60, "training begins")
    embedded.manage("cancel_run", run_id)
    assert finish(embedded, run_id, 60)["status"] == "cancelled"
