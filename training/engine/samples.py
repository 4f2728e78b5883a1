"""How answers come about: a few held-out questions, asked again at each checkpoint, into samples.jsonl.

It reads what is trained and touches nothing of it. Always the likeliest token, so that only training changes an answer.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from training.canonical import canonical_json
from training.config import TrainConfig
from training.engine import lora
from training.engine.model import Params
from training.engine.sampling import Rules, generate
from training.evalsets import item_from_row
from training.files import append_line
from training.journal import SAMPLES, forget_after
from training.judges import clean_output, judge_output
from training.renderers import Row
from training.shapes import ModelShape
from training.tokenizer import Tokenizer

MOST_TOKENS = 128  # of an answer
MERGED_BYTES = 2**30  # a base with adapters is asked merged, as a copy: no larger one than this
SHOWN = ("id", "prompt", "expected_answer")


class Samples:
    """The questions of one run: the first of its valid split, else of its test split, that fit the model.

    `step` is the one that this attempt goes on from; answers of later ones are dropped.
    """

    def __init__(
        self,
        config: TrainConfig,
        shape: ModelShape,
        tokenizer: Tokenizer,
        rows: Sequence[Row],
        *,
        run_dir: Path,
        step: int,
    ):
        self.shape, self.tokenizer, self.recipe = shape, tokenizer, config.data.recipe or ""
        self.path = run_dir / SAMPLES
        self.rules = Rules(min(config.eval.max_new_tokens, MOST_TOKENS), tokenizer.end_of_turn_id, tokenizer.pad_id)
        self.items, self.prompts = _asked(config, tokenizer, rows)
        forget_after(step, self.path)
        self.steps = {json.loads(line)["step"] for line in _lines(self.path)}

    def ask(self, step: int, params: Params) -> None:
        """Writes what the model answers after `step` updates, once."""
        if step == 0 or step in self.steps or not self.prompts:
            return
        self.steps.add(step)
        for item, answer in zip(
            self.items, generate(params, self.shape, self.prompts, self.rules, streams=1), strict=True
        ):
            output, _ = clean_output(self.tokenizer.decode(answer.tokens))
            verdict = judge_output(item, output, self.recipe)
            line = {"step": step, **{name: item[name] for name in SHOWN}, "output": output}
            line |= {"answer": verdict["answer"], "correct": verdict["correct"]}
            append_line(self.path, canonical_json(line))


def whole_model(config: TrainConfig, shape: ModelShape, frozen: Params) -> Callable[[Params], Params] | None:
    """What makes parameters that can be asked of those that are trained; None where that would take too much."""
    if config.model.lora is None:
        return lambda params: params
    if sum(leaf.nbytes for leaf in jax.tree.leaves(frozen)) > MERGED_BYTES:
        return None
    adapted = config.model.lora
    return lambda adapters: lora.merge(adapters, frozen, shape=shape, lora=adapted)


def _asked(
    config: TrainConfig, tokenizer: Tokenizer, rows: Sequence[Row]
) -> tuple[list[Mapping[str, Any]], list[list[int]]]:
    """The items and their prompts in tokens."""
    items: list[Mapping[str, Any]] = []
    prompts: list[list[int]] = []
    held_out = next((held for split in ("valid", "test") if (held := [r for r in rows if r["split"] == split])), [])
    for item in map(item_from_row, held_out):
        if len(items) == config.eval.samples:
            break
        prompt = tokenizer.encode_prompt(item["prompt"], config.data.system_instruction or "")
        if len(prompt) <= config.data.max_length:
            items.append(item)
            prompts.append(prompt)
    return items, prompts


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines() if path.exists() else []
