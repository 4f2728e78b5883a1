"""Published weights beside transformers: theirs loaded here, taught, exported, and asked there again."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from tests.training.engine.models import SHAPE
from tests.training.engine.test_parity import PEER_PYTHON, ROOT, pytestmark  # noqa: F401 (marks these tests too)
from tests.training.gemma_tokenizer import gemma_tokenizer
from tests.training.test_tokenizer import ROWS
from training import eval_run, export_weights, train_jax
from training.engine.evaluate import load_model
from training.engine.model import Gemma3
from training.engine.sampling import Rules, generate
from training.engine.weights import load_params, save_published
from training.evalsets import write_evalset
from training.published import describe_shape, read_shape
from training.tokenizer import Tokenizer, training_texts

KINDS = ("float32", "sharded", "bfloat16", "untied", "image")
INSTRUCTION = "Show your work"
PROMPTS = ["What is 3 + 17?", "  é 日本 <b> two  spaces\n\nand lines ", "12345"]
TOKENS = np.random.default_rng(5).integers(0, 256, (3, 24))  # each vocabulary has more
NEW_TOKENS = 12  # as tests/peers/published_gemma3.py asks for
SHAPE = replace(SHAPE, vocab_size=820)
CONFIG = """
model: {weights: tiny-gemma}
data: {max_length: 192, system_instruction: Show your work}
training: {steps: 3, batch_size: 2}
eval: {every: 3, max_new_tokens: 8}
"""


def peer(what: str, given: object, result: Path) -> None:
    asked = result.with_name(f"{what}.json")
    asked.write_text(json.dumps(given))
    command = [PEER_PYTHON, ROOT / "tests" / "peers" / "published_gemma3.py", what, asked, result]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A home with weights that transformers made; `made/` has them in every form."""
    place = tmp_path_factory.mktemp("published")
    (place / "weights").mkdir()
    peer("make", describe_shape(SHAPE), place / "made")
    installed = place / "weights" / "tiny-gemma"
    shutil.copytree(place / "made" / "float32", installed)
    gemma_tokenizer(training_texts(ROWS, INSTRUCTION)).save(str(installed / "tokenizer.json"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNIXRT_HOME", str(place))
        yield place


@pytest.fixture(scope="module")
def run(place) -> Path:
    """Three updates from those weights."""
    rows = [row | {"id": str(i), "split": "test" if i % 50 == 0 else "train"} for i, row in enumerate(ROWS[:60])]
    (place / "data.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (place / "config.yaml").write_text(CONFIG)
    command = ["--config", place / "config.yaml", "--data", place / "data.jsonl", "--output", place / "run"]
    assert train_jax.main([*map(str, command), "--seed", "1"]) == 0
    return place / "run"


@pytest.fixture(scope="module")
def exported(place, run) -> dict[str, Path]:
    """The run's last checkpoint; a model taught from scratch; what was loaded, written again."""
    assert export_weights.main(["--checkpoint", str(run / "checkpoints"), "--output", str(place / "trained")]) == 0
    (place / "fresh.yaml").write_text(CONFIG.replace("weights: tiny-gemma", "size: tiny"))
    command = ["--config", place / "fresh.yaml", "--data", place / "data.jsonl", "--output", place / "scratch"]
    assert train_jax.main([*map(str, command), "--seed", "1"]) == 0
    command = ["--checkpoint", str(place / "scratch" / "checkpoints"), "--output", str(place / "own")]
    assert export_weights.main(command) == 0
    loaded = load_params(place / "made" / "sharded", SHAPE)
    save_published(place / "again", loaded, SHAPE, Tokenizer.load(run / "tokenizer.json"))
    return {name: place / name for name in ("trained", "own", "again")}


@pytest.fixture(scope="module")
def answers(place, exported) -> dict[str, dict]:
    """What transformers makes of all these directories."""
    directories = {kind: str(place / "made" / kind) for kind in KINDS if kind != "image"}
    directories |= {name: str(path) for name, path in exported.items()}
    chats = [[{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": prompt}] for prompt in PROMPTS]
    asked = {"directories": list(directories.values()), "tokens": TOKENS.tolist(), "chats": chats}
    peer("ask", asked, place / "answers.json")
    found = json.loads((place / "answers.json").read_text())
    return {name: found[path] for name, path in directories.items()}


def logits(shape, params) -> np.ndarray:
    at = jnp.broadcast_to(jnp.arange(TOKENS.shape[1]), TOKENS.shape)
    return Gemma3(shape).apply({"params": params}, jnp.array(TOKENS), at, jnp.ones(TOKENS.shape, jnp.int32))


@pytest.mark.parametrize("kind", KINDS)
def test_what_transformers_wrote_has_its_logits_here(place, answers, kind):
    directory = place / "made" / kind
    shape = read_shape(directory)
    assert shape == SHAPE
    theirs = np.array(answers["float32" if kind == "image" else kind]["logits"])
    assert np.abs(theirs).max() > 1  # the comparison is about something
    np.testing.assert_allclose(logits(shape, load_params(directory, shape)), theirs, atol=1e-4)


def test_there_and_back_again_nothing_has_changed(answers):
    assert answers["again"]["logits"] == answers["float32"]["logits"]


@pytest.mark.parametrize("name", ["trained", "own"])
def test_an_exported_model_answers_alike(place, exported, answers, name):
    model = load_model(place / {"trained": "run", "own": "scratch"}[name] / "checkpoints")
    theirs = answers[name]
    np.testing.assert_allclose(logits(model.shape, model.params), theirs["logits"], atol=1e-4)
    prompts = [model.tokenizer.encode_prompt(prompt, INSTRUCTION) for prompt in PROMPTS]
    assert theirs["ids"] == prompts
    assert theirs["plain"][0] == model.tokenizer.bos_id
    rules = Rules(NEW_TOKENS, stop_id=model.tokenizer.end_of_turn_id, pad_id=model.tokenizer.pad_id)
    rules = Rules(NEW_TOKENS, stop_id=model.tokenizer.end_of_turn_id, pad_id=model.tokenizer.pad_id)
    ours = generate(model.params, model.shape, prompts, rules)
    stop = [model.tokenizer.end_of_turn_id]
    said = [answer.tokens + (stop if answer.finish_reason == "stop" else []) for answer in ours]
    assert theirs["answers"] == said
    assert theirs["texts"] == [model.tokenizer.decode(tokens) for tokens in said]


def test_a_run_begins_with_the_weights_and_changes_them(place, run):
    first = load_model(run / "checkpoints" / "0")
    published = load_params(place / "weights" / "tiny-gemma", SHAPE)
    np.testing.assert_array_equal(first.params["embedding"], published["embedding"])
    last = load_model(run / "checkpoints")
    assert last.step == 3
    assert not np.array_equal(last.params["embedding"], published["embedding"])


def test_a_run_whose_weights_are_gone_can_still_be_examined_and_not_resumed(place, run, tmp_path):
    record = json.loads((run / "run.json").read_text())
    assert sorted(record["weights"]["files"]) == ["config.json", "model.safetensors", "tokenizer.json"]
    (place / "weights").rename(place / "away")
    try:
        evalset = tmp_path / "items.jsonl"
        item = {"id": "a", "prompt": "1 + 1?", "expected_answer": "2", "category": "sum", "difficulty": "easy"}
        write_evalset(evalset, [item])
        assert eval_run.main(["--run", str(run), "--evalset", str(evalset)]) == 0
        command = ["--config", place / "config.yaml", "--data", place / "data.jsonl", "--output", run, "--resume"]
        assert train_jax.main(list(map(str, command))) == 64
    finally:
        (place / "away").rename(place / "weights")


def test_a_run_does_not_go_on_from_other_weights(place, run, capsys):
    file = place / "weights" / "tiny-gemma" / "model.safetensors"
    before = file.read_bytes()
    file.write_bytes(before[:-1] + b"\x7f")
    try:
        command = ["--config", place / "config.yaml", "--data", place / "data.jsonl", "--output", run, "--resume"]
        assert train_jax.main(list(map(str, command))) == 64
        assert "the weights changed since this run began" in capsys.readouterr().err
    finally:
        file.write_bytes(before)


def test_an_existing_directory_is_no_place_for_an_export(run, exported, capsys):
    command = ["--checkpoint", str(run / "checkpoints"), "--output", str(exported["trained"])]
    assert export_weights.main(command) == 64
    assert "is there already" in capsys.readouterr().err
