"""The stand-in for training keeps the promises that the fault tests measure by."""

import json
import signal
import subprocess
import uuid

import pytest

from tests.faults import dry
from tests.faults.installation import dry_python
from training.files import file_sha256

CONFIG = {"training": {"steps": 12}, "checkpoint": {"every": 4}, "data": {"recipe": "trace_sft_v1"}}


@pytest.fixture
def train(home):
    (home / "datasets" / "d").mkdir(parents=True)
    (home / "datasets" / "d" / "dataset.jsonl").write_text('{"id": "1"}\n')
    (home / "config.json").write_text(json.dumps(CONFIG))
    (home / "dry").mkdir()
    program, directory = dry_python(home), home / str(uuid.uuid4())

    def trained(pace=0, **fate):
        (home / "dry" / "5.json").write_text(json.dumps({"pace": pace, **fate}))
        argv = [program, "-m", "training.train_jax", "--config", home / "config.json", "--dataset", "d", "--seed", "5"]
        argv += ["--output", directory, "--run_id", "x", "--resume"]
        return subprocess.run(argv, env={"TUNIXRT_HOME": str(home)}, capture_output=True, text=True).returncode

    trained.directory = directory
    return trained


def curve(directory):
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return [line["step"] for line in lines], [line["loss"] for line in lines]


def test_a_run_that_is_killed_goes_on_with_the_curve_of_one_that_is_not(train, home):
    assert train(faults=[{"at": 7, "do": "kill", "attempt": 1}]) == -signal.SIGKILL
    assert train(faults=[{"at": "save 8", "do": "kill"}]) == -signal.SIGKILL
    assert train() == 0
    rows = file_sha256(home / "datasets" / "d" / "dataset.jsonl")
    assert curve(train.directory) == (list(range(1, 13)), dry.losses(5, rows, 12))


def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_gives_the_same_curve(train, home):
    train(faults=[{"at": 10, "do": "kill"}])
    state = train.directory / "checkpoints" / "8" / "state.json"
    state.write_text(state.read_text().replace("state", "stare"))
    assert train() == 0
    assert (train.directory / "checkpoints" / "bad-8").is_dir()
    assert curve(train.directory)[1] == dry.losses(5, file_sha256(home / "datasets" / "d" / "dataset.jsonl"), 12)


def test_a_lost_doubled_or_exchanged_update_shows_in_every_loss_after_it():
    steps = {"whole": [1, 2, 3, 4], "lost": [1, 3, 4], "doubled": [1, 2, 2, 3, 4], "exchanged": [2, 1, 3, 4]}
    last = set()
    for order in steps.values():
        state = ""
        for step in order:
            state = dry.advance(state, 5, "rows", step)
        last.add(dry.loss_of(state))
    assert len(last) == len(steps)


def test_what_it_does_is_named_by_its_fate(train):
    assert train(faults=[{"at": 2, "do": "exit 70"}]) == 70
    assert train(faults=[{"at": 2, "do": "bug"}]) == 1
