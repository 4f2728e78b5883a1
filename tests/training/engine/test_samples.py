"""The same few questions at each checkpoint, answered beside training."""

import json
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from tests.training.test_config_fields import ROWS, config, counting
from training.engine.loop import Learner, train
from training.engine.lora import init_adapters
from training.engine.model import init_params
from training.engine.samples import whole_model
from training.record import new_record

ASKED = config("eval.samples", 2, eval={"max_new_tokens": 3}, checkpoint={"every": 3})
HELD_OUT = [row["id"] for row in ROWS if row["split"] == "valid"][:2]


def answering(asked, vocab_size: int, total: int) -> Learner:
    """Learns nothing, and answers as a fresh model does."""
    params, learner = init_params(asked.shape(vocab_size), 0), counting(asked, vocab_size, total)

    def step(state, batch):
        return learner.step(jax.tree.map(jnp.asarray, state), batch)  # what was restored, too

    return learner._replace(step=step, model=lambda trained: params)


def lines(place: Path) -> list[dict]:
    record = new_record(ASKED, run_id="r", dataset_key=None, dataset_sha256="0" * 64, parent=None)
    train(ASKED, ROWS, place, record=record, engine=answering)
    return [json.loads(line) for line in (place / "samples.jsonl").read_text().splitlines()]


def test_answers_after_the_restored_checkpoint_are_given_again(tmp_path):
    answers = lines(tmp_path)
    assert [(line["step"], line["id"]) for line in answers] == [(step, key) for step in (3, 6) for key in HELD_OUT]
    assert set(answers[0]) == {"step", "id", "prompt", "expected_answer", "output", "answer", "correct"}
    shutil.rmtree(tmp_path / "checkpoints" / "6")
    with (tmp_path / "samples.jsonl").open("a") as file:
        file.write('{"step": 6, "torn')
    assert lines(tmp_path) == answers


def test_answers_that_an_attempt_did_not_come_to_are_given_by_the_next(tmp_path):
    answers = lines(tmp_path)
    (tmp_path / "samples.jsonl").unlink()
    assert lines(tmp_path) == [line for line in answers if line["step"] == 6]


def test_a_model_with_adapters_is_asked_as_a_whole():
    adapted = config("model.lora.rank", 2)
    shape = adapted.shape(300)
    base, adapters = init_params(shape, 0), init_adapters(shape, adapted.model.lora, 0)
    merged = whole_model(adapted, shape, base)(adapters)
    same = jax.tree.map(np.array_equal, merged, base)  # fresh adapters change nothing
    assert all(jax.tree.leaves(same))
