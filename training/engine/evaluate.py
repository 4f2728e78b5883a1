"""The one evaluation: a checkpoint and a list of items in, a row for each item out, the same bytes every time."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax

from training import lifeline
from training.canonical import canonical_json
from training.config import TrainConfig
from training.engine import checkpoint
from training.engine.model import Gemma3, Params, init_params
from training.engine.sampling import generate
from training.evalsets import evalset_sha256
from training.files import write_atomic, write_json_atomic, write_lines_atomic
from training.judges import JUDGES, clean_output, judge_output
from training.lifeline import Failure
from training.packing import Batch, Example, PackedData, encode_example
from training.record import CHECKPOINTS, TOKENIZER, read_record, recorded_shape
from training.results import compare, delta_report, summarise
from training.shapes import ModelShape
from training.tokenizer import Tokenizer

BATCH = 32  # items that are answered together

Item = Mapping[str, Any]
Progress = Callable[[int], None]  # called with the number of items done


@dataclass(frozen=True)
class Model:
    """A checkpoint with everything needed to ask it: found in the run's directory, beside the checkpoints."""

    step: int
    params: Params
    shape: ModelShape
    tokenizer: Tokenizer
    config: TrainConfig
    run_id: str

    @property
    def recipe(self) -> str:
        return self.config.data.recipe or ""

    @property
    def instruction(self) -> str:
        return self.config.data.system_instruction or ""


def examine(model: Model, items: Sequence[Item], progress: Progress = lambda done: None) -> list[dict[str, Any]]:
    """One row an item, in the items' order; its keys are those of an evaluation's file.

    A prompt longer than the model's sequences is skipped: its `correct` is None. Raises Failure when asked to stop.
    """
    losses = _reference_losses(model, items)
    prompts = {i: model.tokenizer.encode_prompt(item["prompt"], model.instruction) for i, item in enumerate(items)}
    rows = {i: _row(model, items[i], [], "skipped") for i in prompts if len(prompts[i]) > model.config.data.max_length}
    progress(len(rows))
    for chunk in _chunks(sorted(prompts.keys() - rows.keys(), key=lambda i: (len(prompts[i]), i))):
        if lifeline.stop_requested():
            raise Failure(lifeline.TRANSIENT, "stopped", "the examination was stopped on request")
        answers = generate(
            model.params,
            model.shape,
            [prompts[i] for i in chunk],
            max_new_tokens=model.config.eval.max_new_tokens,
            stop_id=model.tokenizer.end_of_turn_id,
            pad_id=model.tokenizer.pad_id,
            batch_size=BATCH,
        )
        for i, answer in zip(chunk, answers, strict=True):
            rows[i] = _row(model, items[i], answer.tokens, answer.finish_reason) | losses.get(items[i]["id"], {})
        progress(len(rows))
    return [rows[i] for i in range(len(items))]


def examine_run(run_dir: Path, items: Sequence[Item], *, evalset: str, step: int | None = None) -> None:
    """Examines a run's first and newest checkpoint and writes eval_before.jsonl, eval_after.jsonl, eval.json and
    delta_report.md; with a `step`, that checkpoint alone, into eval_step_<n>.jsonl and .json.

    Raises Invalid when a checkpoint is missing or damaged.
    """
    checkpoints, began = run_dir / CHECKPOINTS, time.monotonic()
    wanted = [checkpoints / "0", checkpoints] if step is None else [checkpoints / str(step)]
    stages: list[tuple[Model, list[dict[str, Any]]]] = []
    for stage, path in enumerate(wanted):
        model = load_model(path)
        lifeline.emit("phase", message=f"examining step {model.step}")
        rows = examine(model, items, _progress(stage * len(items), len(wanted) * len(items)))
        stages.append((model, rows))
    (model, rows), (_, before) = stages[-1], stages[0]
    summary = _summary(model, items, rows, evalset=evalset, wall_time_s=time.monotonic() - began)
    if step is not None:
        write_rows(run_dir / f"eval_step_{step}.jsonl", rows)
        write_json_atomic(run_dir / f"eval_step_{step}.json", summary)
        return
    write_rows(run_dir / "eval_before.jsonl", before)
    write_rows(run_dir / "eval_after.jsonl", rows)
    title = f"{evalset}: step {model.step} against the untrained model"
    write_atomic(run_dir / "delta_report.md", delta_report(before, rows, title=title))
    earlier = {name: summarise(before)[name] for name in ("metrics", "intervals")}
    # Last, because whoever finds eval.json may trust the others.
    write_json_atomic(
        run_dir / "eval.json", summary | {"before": earlier, "comparison": compare(before, rows).to_dict()}
    )


def load_model(path: Path) -> Model:
    """The model at `path`: a run's `checkpoints/` (the newest sealed step) or one step. Raises Invalid."""
    found = checkpoint.find(path)
    run_dir = found.parent.parent
    record = read_record(run_dir)
    config = TrainConfig.from_dict(record["config"])
    tokenizer = Tokenizer.load(run_dir / TOKENIZER)
    shape = recorded_shape(record, tokenizer.vocab_size)
    params = checkpoint.restore_params(found, jax.eval_shape(lambda: init_params(shape, 0)))
    return Model(int(found.name), params, shape, tokenizer, config, record["run_id"])


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    write_lines_atomic(path, (f"{canonical_json(row)}\n" for row in rows))


def _row(model: Model, item: Item, tokens: list[int], finish_reason: str) -> dict[str, Any]:
    output, _ = clean_output(model.tokenizer.decode(tokens))
    skipped: dict[str, Any] = {"answer": None, "correct": None, "judges": {}}
    verdict = skipped if finish_reason == "skipped" else judge_output(item, output, model.recipe)
    return {
        "id": item["id"],
        "prompt": item["prompt"],
        "expected_answer": item["expected_answer"],
        "output": output,
        **verdict,
        "output_tokens": len(tokens),
        "finish_reason": finish_reason,
    }


def _summary(
    model: Model, items: Sequence[Item], rows: list[dict[str, Any]], *, evalset: str, wall_time_s: float
) -> dict[str, Any]:
    """The fields of eval.json that speak of one examination."""
    return {
        "run_id": model.run_id,
        "checkpoint_step": model.step,
        "evalset": evalset,
        "evalset_sha256": evalset_sha256(items),
        "seed": model.config.training.seed,
        **summarise(rows),
        "judges": {judge.name: judge.version for judge in JUDGES.values()},
        "generated_tokens": sum(row["output_tokens"] for row in rows),
        "wall_time_s": round(wall_time_s, 3),
    }


def _reference_losses(model: Model, items: Sequence[Item]) -> dict[str, dict[str, float]]:
    """`{"loss": mean loss per token of the reference response}` by item, where there is a reference that fits."""
    examples = [_reference(model, item) for item in items if "steps" in item]
    fitting = [example for example in examples if example.length <= model.config.data.max_length]
    if not fitting:
        return {}
    length = model.config.data.max_length
    data = PackedData(fitting, length=length, batch_size=BATCH, packing=False, seed=0, epochs=1)
    losses: dict[str, dict[str, float]] = {}
    for number in range(len(data)):
        found = _row_losses(model.params, data.batch(number), model.shape).tolist()
        ids = [row_id for sequence in data.row_ids(number) for row_id in sequence]
        losses |= {row_id: {"loss": loss} for row_id, loss in zip(ids, found, strict=False) if math.isfinite(loss)}
    return losses


def _reference(model: Model, item: Item) -> Example:
    row = {**item, "final_answer": item["expected_answer"]}
    return encode_example(model.tokenizer, row, recipe=model.recipe, instruction=model.instruction)


@partial(jax.jit, static_argnames="shape")
def _row_losses(params: Params, batch: Batch, shape: ModelShape) -> jax.Array:
    """Mean loss [B] per trained token of each sequence, one after the other; NaN for an empty one."""

    def loss(row: Batch) -> jax.Array:
        logits = Gemma3(shape).apply({"params": params}, row.tokens[None], row.positions[None], row.segments[None])[0]
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, row.targets)
        return jnp.sum(losses * row.loss_mask) / jnp.sum(row.loss_mask)

    return jax.lax.map(loss, batch)


def _chunks(indices: list[int]) -> Iterator[list[int]]:
    for first in range(0, len(indices), BATCH):
        yield indices[first : first + BATCH]


def _progress(before: int, total: int) -> Progress:
    return lambda done: lifeline.emit("progress", done=before + done, total=total, message="examining")
