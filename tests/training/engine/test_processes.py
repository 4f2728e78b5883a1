"""Several processes that train one model: the same losses as one, one set of files, an end together."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from training.canonical import canonical_json
from training.ledger import read_ledger
from training.lifeline import TRANSIENT
from training.problems import generate_traces
from training.splits import group_of, split_of

ROOT = Path(__file__).parents[3]
# Three sequences: with two devices, one of them gets an empty one.
CONFIG = """
tokenizer: {vocab_size: 300}
data: {max_length: 96}
training: {steps: 8, batch_size: 3, warmup: 2, seed: 3}
eval: {every: 3, samples: 0}
checkpoint: {every: 2}
"""
WHOLE = ("step", "row", "tokens")  # numbers of a ledger


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("processes")
    (place / "one.yaml").write_text(CONFIG)
    (place / "two.yaml").write_text(f"{CONFIG}mesh: {{data: 1, fsdp: 2}}\n")
    traces = generate_traces("chain", count=60, seed=1, difficulty=2)
    rows = [{**trace, "id": f"row{i}", "split": split_of(group_of(trace))} for i, trace in enumerate(traces)]
    (place / "data.jsonl").write_text("".join(canonical_json(row) + "\n" for row in rows))
    return place


def start(place: Path, config: str, output: str, *more: object) -> subprocess.Popen:
    arguments = ["--config", place / config, "--data", place / "data.jsonl", "--output", place / output]
    return subprocess.Popen(
        [sys.executable, "-m", "training.train_jax", *map(str, [*arguments, *more])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TUNIXRT_HOME": str(place / "home"), "JAX_PLATFORMS": "cpu"},
    )


def ended(process: subprocess.Popen) -> tuple[int, str]:
    _, err = process.communicate(timeout=400)
    return process.returncode, err


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def losses(place: Path, output: str) -> list[float]:
    return [json.loads(line)["loss"] for line in (place / output / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_stop_together_and_one_goes_on_to_the_losses_of_one(place):
    together = ["--coordinator", f"127.0.0.1:{free_port()}", "--processes", 2, "--process"]
    first, second = (start(place, "two.yaml", "shared", *together, i) for i in (0, 1))
    for line in first.stdout:
        if line.startswith("checkpoint · step 2"):
            second.send_signal(signal.SIGTERM)
            break
    (code, said), (other, told) = ended(first), ended(second)
    assert (code, other) == (TRANSIENT, TRANSIENT), f"{said}\n{told}"
    assert "its checkpoint is sealed" in said
    begun = len(losses(place, "shared"))

    resumed, alone = start(place, "one.yaml", "shared", "--resume"), start(place, "one.yaml", "alone")
    assert (ended(resumed)[0], ended(alone)[0]) == (0, 0)
    assert 2 < begun < len(losses(place, "alone"))
    assert losses(place, "shared") == pytest.approx(losses(place, "alone"), abs=1e-5)
    shared, by_one = (read_ledger(place / output).looks for output in ("shared", "alone"))
    assert [shared[name].tolist() for name in WHOLE] == [by_one[name].tolist() for name in WHOLE]
    assert shared["loss"] == pytest.approx(by_one["loss"], abs=1e-4)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--processes", 2], "go together"),
        (["--coordinator", "127.0.0.1:1", "--processes", 2, "--process", 2], "must lie between 0 and 1"),
    ],
)
def test_half_a_description_of_the_processes_is_wrong_use(place, more, expected):
    code, said = ended(start(place, "one.yaml", "never", *more))
    assert code == 2
    assert expected in said
    assert not (place / "never").exists()
