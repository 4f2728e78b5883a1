"""The whole loop with real processes: queue, worker, child, database, files."""

import json

import pytest

from tests.stack import Stack, eventually

pytestmark = pytest.mark.slow

FINAL = {"completed", "training_failed", "evaluation_failed", "cancelled"}


def launch(installation: Stack, *options: str) -> str:
    installation.manage("seed_dataset", "--dataset", "golden-v2")
    return installation.ask("launch_run", "--dataset", "golden-v2", "--config", "golden", "--seed", "7", *options)["id"]


def finish(installation: Stack, run_id: str, seconds: float = 240) -> dict:
    def final() -> dict | None:
        run = installation.run(run_id)
        return run if run["status"] in FINAL else None

    return eventually(final, seconds, f"run {run_id} ends")


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
    run_id = launch(installation)
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
    eventually(lambda: installation.run(run_id)["status"] == "evaluating", 180, "training ends")
    installation.kill("worker")
    assert installation.run(run_id)["status"] == "evaluating"
    installation.start_sweeper()
    installation.start_worker()
    assert finish(installation, run_id)["status"] == "completed"
    assert statuses(installation, run_id)[-1] == "completed"
    assert statuses(installation, run_id).count("completed") == 1


def test_a_worker_killed_in_training_costs_no_step_and_doubles_none(installation):
    run_id = launch(installation)
    installation.start_worker("first")
    checkpoint = installation.home / "artifacts" / "training_runs" / run_id / "checkpoints"
    eventually(lambda: any(checkpoint.glob("[1-9]*/MANIFEST.json")), 180, "a checkpoint is sealed")
    installation.kill("first")
    installation.start_sweeper()
    installation.start_worker("second")
    run = finish(installation, run_id)
    assert run["status"] == "completed", run["error"]
    steps = trained_steps(installation, run_id)
    assert steps == sorted(set(steps))
    assert steps[-1] == run["metrics"]["total_steps"]


def test_a_run_launched_while_nobody_works_waits_and_then_goes(installation):
    run_id = launch(installation)
    assert installation.run(run_id)["status"] == "pending"
    installation.start_worker()
    assert finish(installation, run_id)["status"] == "completed"


def test_a_run_is_cancelled_in_the_middle_of_training(embedded):
    run_id = launch(embedded)
    embedded.start_worker()
    eventually(lambda: embedded.run(run_id)["status"] == "training", 60, "training begins")
    embedded.manage("cancel_run", run_id)
    assert finish(embedded, run_id, 60)["status"] == "cancelled"
