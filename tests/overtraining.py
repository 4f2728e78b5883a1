"""A real run that is trained for too long: its rows, its config and its small model.

The colour decides the answer; a number that decides nothing stands beside it, and three answers of ten are wrong. What
holds for all is learned first, in a few updates; to get the wrong ones right too, the model then learns numbers by
heart, and from there on it does worse on numbers that it never saw.
"""

import random
from pathlib import Path
from typing import Any

from training.config import TrainConfig
from training.shapes import ModelShape

ANSWERS = {"red": "hot", "blue": "cold"}
WRONG = 0.3
WEIGHTS = "small"
CONFIG: dict[str, dict[str, Any]] = {
    "model": {"weights": WEIGHTS},
    "data": {"max_length": 64, "recipe": "answer_only_v1", "system_instruction": ""},
    "training": {"steps": 240, "batch_size": 8, "learning_rate": 2e-3, "schedule": "constant", "microbatch": 2},
    "eval": {"max_new_tokens": 4, "samples": 0, "every": 1000, "checkpoints": True},
    "checkpoint": {"every": 40, "keep": 1, "best": False},
}


def traces(count: int, *, wrong: float, seed: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    return [_trace(*_answered(chance, wrong), chance.randrange(1000, 10_000)) for _ in range(count)]


def rows(seed: int = 1) -> list[dict[str, Any]]:
    """A dataset's rows: what is taught, and what is asked, where every expected answer is right."""
    taught, asked = traces(80, wrong=WRONG, seed=seed), traces(60, wrong=0.0, seed=seed + 1000)
    named = [("train", trace) for trace in taught] + [("test", trace) for trace in asked]
    return [{**trace, "id": f"row{i}", "split": split} for i, (split, trace) in enumerate(named)]


def install_weights(home: Path) -> None:
    """A fresh model of two narrow layers as published weights, so that a config can name it."""
    from training.engine.model import init_params
    from training.engine.weights import save_published
    from training.plan import prepare

    learned = TrainConfig.from_dict({**CONFIG, "model": {}, "tokenizer": {"vocab_size": 300}}).resolved(seed=1)
    tokenizer = prepare(learned, rows()).tokenizer
    shape = ModelShape(
        vocab_size=tokenizer.vocab_size, width=64, layers=2, heads=4, kv_heads=2, head_dim=16, mlp_width=128, window=64,
        query_scale=16, global_every=2,
    )  # fmt: skip
    save_published(home / "weights" / WEIGHTS, init_params(shape, 0), shape, tokenizer)


def _answered(chance: random.Random, wrong: float) -> tuple[str, str]:
    colour = chance.choice(list(ANSWERS))
    others = [answer for answer in ANSWERS.values() if answer != ANSWERS[colour]]
    return colour, chance.choice(others) if chance.random() < wrong else ANSWERS[colour]


def _trace(colour: str, answer: str, number: int) -> dict[str, Any]:
    steps = [{"i": 0, "type": "compute", "content": f"{colour} is {answer}"}]
    return {"trace_version": "1.0", "prompt": f"{colour} {number}", "steps": steps, "final_answer": answer, "meta": {}}
