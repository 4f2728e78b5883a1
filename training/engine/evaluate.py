"""The one evaluation: a checkpoint and a list of items in, a row for each item out, the same bytes every time."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

from training import lifeline, timelapse
from training.config import CheckpointConfig, LoraConfig, TrainConfig
from training.engine import checkpoint, lora
from training.engine.choice import Choice
from training.engine.model import Gemma3, Params, init_params
from training.engine.sampling import Generation, Rules, answers
from training.engine.weights import initial_params
from training.engines import require_tunix
from training.errors import Fault, Invalid
from training.evalsets import evalset_sha256
from training.examinations import Aside, Examined, earlier_results, judged_summary, publish, write_examined
from training.judges import clean_output, judge_output, judge_versions
from training.lifeline import Failure
from training.packing import Batch, Example, PackedData, encode_example
from training.record import (
    CHECKPOINTS,
    COMMON,
    TOKENIZER,
    code_version,
    describe_weights,
    read_record,
    recorded_shape,
)
from training.shapes import OWN_FAMILY, ModelShape
from training.tokenizer import Tokenizer

BATCH = 16  # sequences of references between two looks at whether to stop

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
    form: Any = None  # of a family that only Tunix computes

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
    prompts = [model.tokenizer.encode_prompt(item["prompt"], model.instruction) for item in items]
    asked = [i for i, prompt in enumerate(prompts) if len(prompt) <= model.config.data.max_length]
    rows = {i: _row(model, item, [], "skipped") for i, item in enumerate(items)}
    done = len(items) - len(asked)
    progress(done)
    keys = _keys(model, [items[i] for i in asked])
    for ended in _answers(model, [prompts[i] for i in asked], keys):
        _stop_if_asked()
        for place, answer in ended.items():
            item = items[asked[place]]
            rows[asked[place]] = _row(model, item, answer.tokens, answer.finish_reason) | losses.get(item["id"], {})
        if ended:
            done += len(ended)
            progress(done)
    return [rows[i] for i in range(len(items))]


def examine_run(run_dir: Path, items: Sequence[Item], *, evalset: str, step: int | None = None) -> None:
    """Examines a run's first and newest checkpoint and writes eval_before.jsonl, eval_after.jsonl, eval.json and
    delta_report.md; where its config says `eval.checkpoints`, every sealed one, and files for each besides. With a
    `step`, that checkpoint alone, into eval_step_<n>.jsonl and .json.

    One that was cut off is gone on with. Only the process that holds the run's lock may call it. Raises Invalid when a
    checkpoint is missing or damaged.
    """
    checkpoints, began = run_dir / CHECKPOINTS, time.monotonic()
    if step is not None:
        path = checkpoint.find(checkpoints / str(step))
        write_examined(run_dir, *_examined(path, items, evalset, _progress(0, len(items))))
        return
    config = TrainConfig.from_dict(read_record(run_dir)["config"])
    first, newest = checkpoint.find(checkpoints / "0"), checkpoint.find(checkpoints)
    all_sealed = _sealed(checkpoints) if config.eval.checkpoints else []
    wanted = sorted({first, newest, *all_sealed}, key=lambda path: int(path.name))
    aside, found = Aside(run_dir, _asked(items)), {}
    for number, path in enumerate(wanted):
        progress = _progress(number * len(items), len(wanted) * len(items))
        found[path] = aside.find(path) or aside.keep(path, *_examined(path, items, evalset, progress))
        progress(len(items))
    lapse = _time_lapse(run_dir, list(found.values()), items, config) if config.eval.checkpoints else {}
    more = {"wall_time_s": round(time.monotonic() - began, 3)} | lapse
    publish(run_dir, found[first], found[newest], items, more)
    if lapse:
        _thin_out(checkpoints, config.checkpoint, lapse["best_step"])
    aside.clear()


def _examined(
    path: Path, items: Sequence[Item], evalset: str, progress: Progress
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Summary and rows of one checkpoint."""
    began, model = time.monotonic(), load_model(path)
    lifeline.emit("phase", message=f"examining step {model.step}")
    rows = examine(model, items, progress)
    return _summary(model, items, rows, evalset=evalset, wall_time_s=time.monotonic() - began), rows


def _sealed(checkpoints: Path) -> list[Path]:
    """The checkpoints that verify; of one that does not, the run's history tells."""
    paths = [checkpoints / str(step) for step in checkpoint.steps(checkpoints)]
    sealed = [path for path in paths if checkpoint.is_sealed(path)]
    for path in (path for path in paths if path not in sealed):
        lifeline.emit("notice", message=f"checkpoint {path.name} is damaged and left out of the examination")
    return sealed


def _asked(items: Sequence[Item]) -> dict[str, Any]:
    """What answers and judgements follow from, beside the checkpoint and its run."""
    return {
        "evalset_sha256": evalset_sha256(items),
        "judges": judge_versions(),
        "code_version": code_version(),
        "libraries": {name: version(name) for name in COMMON},
        "devices": sorted({device.device_kind for device in jax.devices()}),
    }


def _time_lapse(run_dir: Path, found: Sequence[Examined], items: Sequence[Item], config: TrainConfig) -> dict[str, Any]:
    """Writes the files of each checkpoint, and returns what eval.json says of all together.

    Of a checkpoint that is gone since it was examined on the same items, what it answered stays.
    """
    now = {examined.step: write_examined(run_dir, examined.summary, examined.rows) for examined in found}
    earlier = earlier_results(run_dir, items, recipe=config.data.recipe or "", but=now)
    exams = sorted((examined.exam for examined in [*earlier, *now.values()]), key=lambda exam: exam.step)
    lifeline.emit("notice", message=timelapse.best_of(exams).sentence)
    return timelapse.summary(exams)


def _thin_out(checkpoints: Path, kept: CheckpointConfig, best_step: int) -> None:
    """Leaves what `checkpoint` keeps and the chosen one. Where that is gone already, all stay that are there."""
    if (checkpoints / str(best_step)).exists():
        checkpoint.thin_out(checkpoints, newest=kept.keep, best=kept.best, besides={best_step})


def load_model(path: Path) -> Model:
    """The model at `path`: a run's `checkpoints/` (the newest sealed step) or one step. Raises Invalid."""
    found = checkpoint.find(path)
    run_dir = found.parent.parent
    record = read_record(run_dir)
    config = TrainConfig.from_dict(record["config"])
    _require_same_weights(found, record, config)
    tokenizer = Tokenizer.load(run_dir / TOKENIZER)
    shape = recorded_shape(record, tokenizer.vocab_size)
    if config.model.family != OWN_FAMILY:
        form = _form(config, tokenizer)
        params = checkpoint.restore_params(found, jax.eval_shape(form.like))
        return Model(int(found.name), params, shape, tokenizer, config, record["run_id"], form)
    return Model(int(found.name), _params(found, config, shape), shape, tokenizer, config, record["run_id"])


def load_adapters(path: Path) -> tuple[int, lora.Adapters, LoraConfig, str | None]:
    """(step, adapters, their config, name of the weights they stand beside) at `path`, which means what it means to
    `load_model`. Raises Invalid when there are no adapters."""
    found = checkpoint.find(path)
    record = read_record(found.parent.parent)
    config = TrainConfig.from_dict(record["config"])
    if config.model.lora is None:
        msg = f"{found} holds a whole model and no adapters; training.export_weights writes it"
        raise Invalid(Fault(("checkpoint",), msg, "wrong_value"))
    if config.model.family != OWN_FAMILY:
        msg = f"{found} holds adapters of {config.model.family} under Tunix's names; {OWN_FAMILY}'s can be exported"
        raise Invalid(Fault(("model", "family"), msg, "wrong_value"))
    shape = recorded_shape(record, Tokenizer.load(found.parent.parent / TOKENIZER).vocab_size)
    adapters = _adapters(found, config.model.lora, shape)
    return int(found.name), adapters, config.model.lora, config.model.weights


def _require_same_weights(found: Path, record: Mapping[str, Any], config: TrainConfig) -> None:
    """Raises Invalid where a checkpoint needs the installed weights and they are others than it was trained from."""
    needs_them = config.model.lora is not None or config.model.family != OWN_FAMILY
    if needs_them and record.get("weights") != describe_weights(config):
        msg = f"the weights {config.model.weights} are not those that {found} was trained from"
        raise Invalid(Fault(("model", "weights"), msg, "weights_changed"))


def _params(found: Path, config: TrainConfig, shape: ModelShape) -> Params:
    """The whole model's parameters at a sealed step; where that holds adapters, they are merged into the base."""
    if config.model.lora is None:
        return checkpoint.restore_params(found, jax.eval_shape(lambda: init_params(shape, 0)))
    adapters = _adapters(found, config.model.lora, shape)
    return lora.merge(adapters, initial_params(config, shape), shape=shape, lora=config.model.lora)


def _adapters(found: Path, config: LoraConfig, shape: ModelShape) -> lora.Adapters:
    return checkpoint.restore_params(found, jax.eval_shape(lambda: lora.init_adapters(shape, config, 0)))


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
        **judged_summary(rows),
        "generated_tokens": sum(row["output_tokens"] for row in rows),
        "wall_time_s": round(wall_time_s, 3),
    }


def _form(config: TrainConfig, tokenizer: Tokenizer) -> Any:
    """How Tunix has the model of a config. Raises Failure where Tunix is absent."""
    require_tunix()
    from training.engine.tunix.forms import form_of

    return form_of(config, tokenizer.vocab_size)


def _answers(model: Model, prompts: list[list[int]], keys: np.ndarray) -> Iterator[dict[int, Generation]]:
    if model.form is None:
        return answers(model.params, model.shape, prompts, _rules(model), keys=keys)
    from training.engine.tunix import asking

    return asking.answers(model.form, model.params, prompts, _rules(model))


def _losses(model: Model, batch: Batch) -> np.ndarray:
    """The loss at each place [B, L]."""
    if model.form is None:
        return np.asarray(_token_losses(model.params, batch, model.shape), np.float64)
    from training.engine.tunix import asking

    return asking.token_losses(model.form, model.params, batch)


def _rules(model: Model) -> Rules:
    asked, tokenizer = model.config.eval, model.tokenizer
    choice = Choice(asked.temperature, asked.top_k, asked.top_p)
    return Rules(asked.max_new_tokens, tokenizer.end_of_turn_id, tokenizer.pad_id, choice)


def _keys(model: Model, items: Sequence[Item]) -> np.ndarray:
    """What is drawn for an item follows from the run's seed and the item's id: uint32 [items, 2]."""
    seeds = (f"{model.config.training.seed}|{item['id']}" for item in items)
    digests = b"".join(sha256(seed.encode()).digest()[:8] for seed in seeds)
    return np.frombuffer(digests, "<u4").reshape(-1, 2)


def _stop_if_asked() -> None:
    if lifeline.stop_requested():
        raise Failure(lifeline.TRANSIENT, "stopped", "the examination was stopped on request")


def _reference_losses(model: Model, items: Sequence[Item]) -> dict[str, dict[str, float]]:
    """`{"loss": mean loss per token of the reference response}` by item, where there is a reference that fits."""
    examples = [_reference(model, item) for item in items if "steps" in item]
    fitting = [example for example in examples if example.length <= model.config.data.max_length]
    if not fitting:
        return {}
    length, packing = model.config.data.max_length, model.form is None or model.config.data.packing
    data = PackedData(fitting, length=length, batch_size=BATCH, packing=packing, seed=0, epochs=1)
    losses: dict[str, dict[str, float]] = {}
    for number in range(len(data)):
        _stop_if_asked()
        batch = data.batch(number)
        found = _losses(model, batch)
        for line, ids in enumerate(data.row_ids(number)):
            for segment, row_id in enumerate(ids, start=1):
                loss = found[line, (batch.segments[line] == segment) & (batch.loss_mask[line] > 0)].mean()
                losses |= {row_id: {"loss": float(loss)}} if math.isfinite(loss) else {}
    return losses


def _reference(model: Model, item: Item) -> Example:
    row = {**item, "final_answer": item["expected_answer"]}
    return encode_example(model.tokenizer, row, recipe=model.recipe, instruction=model.instruction)


@partial(jax.jit, static_argnames="shape")
def _token_losses(params: Params, batch: Batch, shape: ModelShape) -> jax.Array:
    """The loss at each place [B, L], one sequence after the other."""

    def losses(row: Batch) -> jax.Array:
        logits = Gemma3(shape).apply({"params": params}, row.tokens[None], row.positions[None], row.segments[None])[0]
        return optax.softmax_cross_entropy_with_integer_labels(logits, row.targets)

    return jax.lax.map(losses, batch)


def _progress(before: int, total: int) -> Progress:
    return lambda done: lifeline.emit("progress", done=before + done, total=total, message="examining")
