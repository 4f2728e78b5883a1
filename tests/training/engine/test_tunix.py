"""The engine tunix, by the command line: the losses of our own, the same files, stopped and killed like any other."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import PEERS_PYTHON, ROOT
from training import lifeline
from training.canonical import canonical_json
from training.engine import checkpoint
from training.engine.evaluate import load_model
from training.engines import TUNIX_VERSIONS
from training.problems import generate_traces
from training.splits import group_of, split_of

MEASURED = ("tokens_per_second", "elapsed_s", "peak_memory_bytes")  # of a line, what differs from run to run
CONFIG = """
tokenizer: {vocab_size: 300}
data: {max_length: 96}
training: {steps: 20, batch_size: 4, learning_rate: 1e-3, warmup: 2, weight_decay: 0.1}
eval: {every: 10, max_new_tokens: 8}
checkpoint: {every: 5, keep: 2, best: false}
"""

pytestmark = [pytest.mark.slow, pytest.mark.peers]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A directory with a config and a dataset; its home keeps what was compiled."""
    place = tmp_path_factory.mktemp("tunix")
    (place / "config.yaml").write_text(CONFIG)
    traces = generate_traces("chain", count=60, seed=1, difficulty=2)
    rows = [{**trace, "id": f"row{i}", "split": split_of(group_of(trace))} for i, trace in enumerate(traces)]
    (place / "data.jsonl").write_text("".join(canonical_json(row) + "\n" for row in rows))
    return place


@pytest.fixture(scope="module")
def uninterrupted(place) -> Path:
    return done(place, place / "uninterrupted")


def start(place: Path, output: Path, *more: str, python: Path = PEERS_PYTHON, module: str = "train_sft_tunix"):
    arguments = ["--config", place / "config.yaml", "--data", place / "data.jsonl", "--output", output, "--seed", "3"]
    environment = os.environ | {"TUNIXRT_HOME": str(place / "home"), "JAX_PLATFORMS": "cpu"}
    command = [python, "-m", f"training.{module}", *arguments, *more]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)


def ended(process: subprocess.Popen) -> tuple[int, str]:
    _, err = process.communicate(timeout=240)
    return process.returncode, err


def done(place: Path, output: Path, *more: str, **how) -> Path:
    code, err = ended(start(place, output, *more, **how))
    assert code == 0, err
    return output


def stop_at(process: subprocess.Popen, line_start: str, signal_number: int) -> None:
    for line in process.stdout:
        if line.startswith(line_start):
            process.send_signal(signal_number)
            break


def lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def curve(run: Path) -> list[dict]:
    return [{k: v for k, v in line.items() if k not in MEASURED} for line in lines(run)]


def final_parameters(run: Path) -> str:
    return checkpoint.params_sha256(load_model(run / "checkpoints").params)


def test_the_losses_are_those_of_our_own_engine_on_packed_rows(place, uninterrupted, tmp_path):
    own = lines(done(place, tmp_path / "own", python=Path(sys.executable), module="train_jax"))
    tunix = lines(uninterrupted)
    assert [(line["step"], line["split"], line["tokens"]) for line in tunix] == [
        (line["step"], line["split"], line["tokens"]) for line in own
    ]
    assert [line["loss"] for line in tunix] == pytest.approx([line["loss"] for line in own], abs=1e-4)
    assert [line["grad_norm"] for line in tunix] == pytest.approx([line["grad_norm"] for line in own], rel=1e-4)
    assert own[-1]["loss"] < own[0]["loss"] - 1  # the comparison is about something


def test_the_record_names_the_engine_and_its_versions(uninterrupted):
    record = json.loads((uninterrupted / "run.json").read_text())
    assert record["engine"] == "tunix"
    assert TUNIX_VERSIONS.items() <= record["libraries"].items()


def test_a_killed_run_goes_on_to_the_same_bits(place, uninterrupted, tmp_path):
    process = start(place, tmp_path / "run")
    stop_at(process, "checkpoint · step 10", signal.SIGKILL)
    assert ended(process)[0] == -signal.SIGKILL
    run = done(place, tmp_path / "run", "--resume")
    assert curve(run) == curve(uninterrupted)
    assert final_parameters(run) == final_parameters(uninterrupted)


def test_sigterm_seals_a_checkpoint_and_asks_for_another_attempt(place, tmp_path):
    process = start(place, tmp_path / "run")
    stop_at(process, "phase · message training", signal.SIGTERM)
    code, err = ended(process)
    assert code == lifeline.TRANSIENT, err
    assert "its checkpoint is sealed" in err
    assert checkpoint.latest_sealed(tmp_path / "run" / "checkpoints").name != "0"


def test_a_run_is_not_gone_on_with_by_the_other_engine(place, uninterrupted):
    code, err = ended(start(place, uninterrupted, "--resume", python=Path(sys.executable), module="train_jax"))
    assert code == lifeline.BAD_CONFIG
    assert "the engine changed since this run began" in err


def test_our_own_environment_examines_it(place, uninterrupted, tmp_path):
    (tmp_path / "evalset.jsonl").write_text(
        '{"id": "a", "prompt": "3 + 4", "expected_answer": "7", "category": "x", "difficulty": "easy"}\n'
    )
    command = [sys.executable, "-m", "training.eval_run", "--run", uninterrupted, "--evalset"]
    subprocess.run([*command, tmp_path / "evalset.jsonl"], cwd=ROOT, check=True, capture_output=True)
    summary = json.loads((uninterrupted / "eval.json").read_text())
    assert (summary["checkpoint_step"], summary["n_scored"]) == (20, 1)
    assert (uninterrupted / "delta_report.md").exists()
