"""A run trained for too long, from its traces to its results: whoever examines it, an earlier checkpoint is chosen."""

import json
import os
import subprocess
import sys

import pytest

from tests import overtraining
from tests.loop.test_whole_loop import finish
from tests.needs import ROOT
from tests.stack import Stack, eventually
from training.canonical import canonical_json
from training.evalsets import item_from_row, write_evalset

pytestmark = pytest.mark.slow

SERVICES = "__import__('datasets_app.services', fromlist=['x'])"


@pytest.fixture
def taught(embedded) -> Stack:
    """An installation with the over-trained run's dataset, weights, questions and config."""
    home = embedded.home
    overtraining.install_weights(home)
    traces = overtraining.traces(110, wrong=overtraining.WRONG, seed=1)
    (home / "traces.jsonl").write_text("".join(f"{canonical_json(trace)}\n" for trace in traces))
    rows = [row for row in overtraining.rows() if row["split"] == "test"]
    write_evalset(home / "held_out.jsonl", [item_from_row(row) for row in rows])
    (home / "config.json").write_text(json.dumps(overtraining.CONFIG))
    embedded.manage("import_traces", str(home / "traces.jsonl"))
    embedded.manage("build_dataset", "colours", "v1", "--limit", "1000", "--strategy", "all")
    return embedded


def test_an_earlier_checkpoint_is_chosen_and_every_door_gives_the_same_bytes(taught):
    home = taught.home
    path = home / "held_out.jsonl"
    evalset = taught.shell(f"{SERVICES}.evalset_from_file(path=__import__('pathlib').Path({str(path)!r}),"
                           " name='held out', by=None).pk")  # fmt: skip
    asked = ("--dataset", "colours-v1", "--config", str(home / "config.json"), "--seed", "1", "--evalset", evalset)
    run_id = taught.ask("launch_run", *asked)["id"]
    taught.start_worker()
    taught.start_sweeper()
    run = finish(taught, run_id)
    assert run["status"] == "completed", run["error"]
    metrics = run["metrics"]
    assert metrics["best_step"] < metrics["total_steps"] == 240
    assert metrics["answer_correctness"] < metrics["best_expected_correctness"] <= metrics["best_correctness"]
    assert metrics["best_p_adjusted"] < 0.05
    directory = home / "artifacts" / "training_runs" / run_id
    kept = {path.name for path in (directory / "checkpoints").iterdir()}
    assert kept == {"0", "240", str(metrics["best_step"])}

    first = results(directory)
    assert len(first) == 2 + 7
    taught.manage("evaluate_run", run_id)
    again = f"RunEvent.objects.filter(run='{run_id}', to_status='completed').count()"
    eventually(lambda: taught.shell(again) == 2, 120, "it is examined again")
    assert results(directory) == first

    offline = [sys.executable, "-m", "training.train_jax", "--config", str(home / "config.json"), "--seed", "1"]
    offline += ["--dataset", "colours-v1", "--output", str(home / "offline"), "--eval_after_train"]
    environment = os.environ | {"TUNIXRT_HOME": str(home)}
    done = subprocess.run([*offline, "--evalset", str(path)], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert results(home / "offline") == first


def results(directory) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.glob("eval_*.jsonl")}
