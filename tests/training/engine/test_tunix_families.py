"""The families of the engine tunix: computed as published, taught, and examined, all parameters or adapters alone."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tests.needs import PEERS_PYTHON, ROOT
from training.canonical import canonical_json
from training.problems import generate_traces
from training.splits import group_of, split_of
from training.tokenizer import LLAMA3, QWEN

TOKENS = {"llama3": LLAMA3, "qwen3": QWEN}
TRAINING = {"steps": 4, "batch_size": 4, "learning_rate": 1e-3}

pytestmark = [pytest.mark.slow, pytest.mark.peers]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home with small random weights of every family, and what a comparison of their logits said."""
    home = tmp_path_factory.mktemp("home")
    script = ROOT / "tests" / "peers" / "tunix_families.py"
    done = run(home, str(script), str(home / "weights"))
    (home / "compared.json").write_text(done.stdout)
    for family, tokens in TOKENS.items():
        byte_level(tokens).save(str(home / "weights" / family / "tokenizer.json"))
    traces = generate_traces("chain", count=60, seed=1, difficulty=2)
    rows = [{**trace, "id": f"row{i}", "split": split_of(group_of(trace))} for i, trace in enumerate(traces)]
    (home / "data.jsonl").write_text("".join(canonical_json(row) + "\n" for row in rows))
    return home


def byte_level(tokens: tuple[str, ...]) -> Tokenizer:
    """A tokenizer of the construction of Llama 3 and Qwen, with the control tokens given."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=list(dict.fromkeys(tokens)), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(["1 + 2 = 3", "Reasoning: Answer:"], trainer)
    return tokenizer


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"TUNIXRT_HOME": str(home), "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    command = [str(PEERS_PYTHON), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return done


def trained(home: Path, name: str, model: dict) -> Path:
    """The directory of a run that was taught and examined."""
    config = {
        "model": model,
        "data": {"max_length": 192},
        "training": TRAINING,
        "eval": {"max_new_tokens": 4, "samples": 0, "checkpoints": True},
        "checkpoint": {"every": 2, "keep": 1, "best": False},
    }
    (home / f"{name}.json").write_text(json.dumps(config))
    arguments = ["--config", str(home / f"{name}.json"), "--data", str(home / "data.jsonl"), "--seed", "3"]
    output = home / name
    run(home, "-m", "training.train_sft_tunix", *arguments, "--output", str(output), "--eval_after_train")
    return output


def losses(output: Path) -> list[float]:
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["split"] == "train"]


def test_logits_equal_those_of_transformers(home):
    compared = json.loads((home / "compared.json").read_text().splitlines()[-1])
    assert {name.split(",")[0] for name in compared} == {"gemma2", "llama3", "qwen2", "qwen3"}
    for name, (largest, difference) in compared.items():
        assert largest > 1, name  # the comparison is about something
        assert difference < 1e-4, name


def test_adapters_of_gemma_3_are_the_same_merged_into_our_own_model(tmp_path):
    compared = json.loads(run(tmp_path, str(ROOT / "tests" / "peers" / "tunix_adapters.py")).stdout.splitlines()[-1])
    assert len(compared) == 3
    for name, (largest, moved, difference) in compared.items():
        assert min(largest, moved) > 0.1, name  # the comparison is about something
        assert difference < 1e-4, name


def test_asking_holds_the_logits_of_one_sequence_at_a_time(tmp_path):
    asked = json.loads(run(tmp_path, str(ROOT / "tests" / "peers" / "tunix_asking.py")).stdout.splitlines()[-1])
    assert asked["losses"] < 4 * asked["logits"]  # of the eight sequences asked about
    assert asked["answer"] < 4 * asked["logits"]


def test_the_planned_memory_of_a_gradient_is_that_of_the_compiled_one_within_some_tenths(tmp_path):
    held = json.loads(run(tmp_path, str(ROOT / "tests" / "peers" / "tunix_memory.py")).stdout.splitlines()[-1])
    assert len(held) == 3
    for name, (taken, planned) in held.items():
        assert planned == pytest.approx(taken, rel=0.3), name


def test_a_qwen_is_taught_and_examined(home):
    output = trained(home, "whole", {"family": "qwen3", "weights": "qwen3"})
    assert losses(output)[-1] < losses(output)[0]
    summary = json.loads((output / "eval.json").read_text())
    assert summary["n_scored"] == summary["n_items"] > 0
    assert summary["metrics"]["loss"] < summary["before"]["metrics"]["loss"]
    losses_by_step = {step["checkpoint_step"]: step["loss"] for step in summary["timelapse"]["steps"]}
    assert list(losses_by_step) == [0, 2, 4]
    assert losses_by_step[4] < losses_by_step[2] < losses_by_step[0]
    kept = {path.name for path in (output / "checkpoints").iterdir()}
    assert kept == {"0", str(summary["best_step"]), "4"}


def test_adapters_of_a_llama_are_taught_alone_and_examined(home):
    lora = {"rank": 4, "targets": ["q_proj", "v_proj", "down_proj"]}
    output = trained(home, "adapters", {"family": "llama3", "weights": "llama3", "lora": lora})
    assert losses(output)[-1] < losses(output)[0]
    whole = sum(file.stat().st_size for file in (home / "weights" / "llama3").glob("*.safetensors"))
    kept = sum(file.stat().st_size for file in (output / "checkpoints" / "4" / "params").rglob("*") if file.is_file())
    assert kept < whole
    assert (output / "delta_report.md").exists()
