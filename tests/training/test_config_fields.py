"""Every field of a config changes what it says it changes: a test each, named after its path.

What a field does to the files of a run is seen on a learner that is no model: one number that grows.
"""

import json
from collections import Counter
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.training.engine.models import SMALL_SHAPE, random_params
from tests.training.test_tokenizer import TOKENIZER
from training import train_jax
from training.config import TrainConfig
from training.engine.evaluate import Model, examine
from training.engine.loop import Learner, own_engine, train
from training.engine.lora import init_adapters, variables
from training.engine.mesh import make_mesh
from training.engine.model import init_params
from training.engine.samples import Samples
from training.engine.step import TrainState, learning_rate, make_optimizer
from training.engine.weights import initial_params, save_published
from training.engines import check_engine
from training.errors import Invalid
from training.plan import plan, prepare, training_data
from training.problems import generate_traces
from training.record import new_record
from training.shapes import adapter_count, model_shape, parameter_count

TRACES = generate_traces("chain", count=24, seed=1, difficulty=2)
SPLITS = ("train", "train", "train", "valid", "test", "train")
ROWS = [{**trace, "id": f"row{i}", "split": SPLITS[i % 6]} for i, trace in enumerate(TRACES)]
SMALL: dict[str, dict[str, Any]] = {
    "tokenizer": {"vocab_size": 300},
    "data": {"max_length": 96},
    "training": {"steps": 6, "batch_size": 2},
}


def paths(kind: Any = TrainConfig, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every field that holds a value."""
    found = []
    for option in fields(kind):
        part = option.metadata.get("part") or (option.type if kind is TrainConfig else None)
        place = (*before, option.name)
        found += paths(part, place) if part else [place]
    return found


def config(path: str = "", value: Any = None, **more: dict[str, Any]) -> TrainConfig:
    """The small config with one field, and maybe whole sections, changed."""
    obj: dict[str, Any] = {name: dict(section) for name, section in (SMALL | more).items()}
    *sections, name = path.split(".")
    at = obj
    for section in sections:
        at = at.setdefault(section, {})
    if path:
        at[name] = value
    if name in ("epochs", "tokens_per_batch"):
        del obj["training"]["steps" if name == "epochs" else "batch_size"]
    return TrainConfig.from_dict(obj).resolved(seed=obj["training"].get("seed", 7))


def first_batch(config: TrainConfig):
    return training_data(config, prepare(config, ROWS).train).batch(0)


def lengths(config: TrainConfig) -> list[int]:
    return [example.length for example in prepare(config, ROWS).train]


def rates(config: TrainConfig) -> list[float]:
    return np.asarray(learning_rate(config.training, 6)(jnp.arange(6))).tolist()


def updated(config: TrainConfig, gradient: float, param: float = 1.0) -> float:
    """What the first two updates with this gradient and one of a tenth change in total."""
    params, optimizer = {"matrix": jnp.full((1, 1), param)}, make_optimizer(config.training, 6)
    state, total = optimizer.init(params), 0.0
    for size in (gradient, gradient / 10):
        updates, state = optimizer.update({"matrix": jnp.full((1, 1), size)}, state, params)
        total += float(updates["matrix"][0, 0])
    return total


def counting(config: TrainConfig, vocab_size: int, total: int, *, valid_loss: float = 1.0) -> Learner:
    """A learner of one number that goes up by one; its loss on the valid split is always the same."""
    state = TrainState(jnp.asarray(0, jnp.int32), {"number": jnp.zeros(1)}, {"nothing": jnp.zeros(1)})

    def step(state, batch):
        metrics = {name: jnp.ones(()) for name in ("loss", "grad_norm", "tokens")}
        return state.replace(step=state.step + 1, params={"number": state.params["number"] + 1}), metrics

    return Learner(lambda: state, lambda: state, step, lambda params, batch: (jnp.asarray(valid_loss), jnp.ones(())))


def run(config: TrainConfig, place: Path) -> tuple[Counter, set[str]]:
    """How many lines of metrics.jsonl a run has by split, and which checkpoints are left."""
    record = new_record(config, run_id="r", dataset_key=None, dataset_sha256="0" * 64, parent=None)
    train(config, ROWS, place, record=record, engine=counting)
    lines = [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
    return Counter(line["split"] for line in lines), {path.name for path in (place / "checkpoints").iterdir()}


def computed(config: TrainConfig) -> str:
    """An update of our own engine, operation by operation."""
    learner = own_engine(config, 300, 6)
    arguments = learner.step.arguments(jax.eval_shape(learner.like), first_batch(config))
    return str(learner.step.compiled.trace(*arguments).jaxpr)


def adapters_of(config: TrainConfig) -> Any:
    """What stands beside the last matrix of the first layer in an update."""
    shape, lora = config.shape(300), config.model.lora
    base = jax.eval_shape(lambda: init_params(shape, 0))
    adapters = jax.tree.map(lambda leaf: jnp.ones(leaf.shape), jax.eval_shape(lambda: init_adapters(shape, lora, 0)))
    place = (jnp.asarray(0), jnp.arange(2))
    return variables(adapters, base, place, shape=shape, lora=lora, seed=0)["adapters"]["block_0"]["mlp"]["down"]


@cache
def answered(max_new_tokens: int = 8, **choice: float) -> dict[str, Any]:
    """What a model of two layers and random parameters answers, examined by this config."""
    asked = config(eval={"max_new_tokens": max_new_tokens, **choice})
    tokenizer = prepare(asked, ROWS).tokenizer
    shape = replace(SMALL_SHAPE, vocab_size=tokenizer.vocab_size)
    model = Model(0, random_params(shape), shape, tokenizer, asked, "r")
    return examine(model, [{"id": "one", "prompt": "1 + 1", "expected_answer": "2"}])[0]


def test_every_field_has_its_test():
    assert [".".join(path) for path in paths() if f"test_{'_'.join(path)}" not in globals()] == []


@pytest.mark.parametrize("section", sorted({path[:-1] for path in paths()} | {()}), ids=".".join)
def test_an_unknown_field_is_refused_with_its_path(section):
    obj: Any = {"nonsense": 1}
    for name in reversed(section):
        obj = {name: obj}
    with pytest.raises(Invalid) as error:
        TrainConfig.from_dict(obj)
    assert [(fault.loc, fault.type) for fault in error.value.faults] == [((*section, "nonsense"), "unknown_field")]


def test_model_family():
    check_engine(config("model.family", "gemma3"), "jax")
    with pytest.raises(Invalid, match=r"model.family: llama3 is computed by the engine tunix only"):
        check_engine(config("model.family", "llama3"), "jax")


def test_model_size():
    assert plan(config("model.size", "small"), ROWS).parameters == parameter_count(model_shape("small", 300))


def test_model_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNIXRT_HOME", str(tmp_path))
    params = random_params(SMALL_SHAPE)
    save_published(tmp_path / "weights" / "mine", params, SMALL_SHAPE, TOKENIZER)
    first = initial_params(config("model.weights", "mine"), SMALL_SHAPE)
    assert (first["embedding"] == params["embedding"]).all()


def test_model_lora_rank():
    asked = config("model.lora.rank", 3)
    trained = adapter_count(model_shape("tiny", 300), 3, asked.model.lora.targets)
    assert plan(asked, ROWS).trained_parameters == trained


def test_model_lora_alpha():
    one, four = (adapters_of(config("model.lora.alpha", alpha)) for alpha in (1.0, 4.0))
    assert (four.b == 4 * one.b).all()


def test_model_lora_dropout():
    some, none = (adapters_of(config("model.lora.dropout", rate)) for rate in (0.5, 0.0))
    assert float((some(jnp.ones((2, 9, 320))) != none(jnp.ones((2, 9, 320)))).mean()) > 0.4


def test_model_lora_targets():
    lora = config("model.lora.targets", ["v_proj", "down_proj"]).model.lora
    tree = jax.eval_shape(lambda: init_adapters(model_shape("tiny", 300), lora, 0))
    assert [set(adapters) for adapters in tree.values()] == [{"v_proj", "down_proj"}] * 6


def test_tokenizer_vocab_size():
    assert [plan(config("tokenizer.vocab_size", size), ROWS).vocab_size for size in (300, 310)] == [300, 310]


def test_data_recipe():
    assert max(lengths(config("data.recipe", "answer_only_v1"))) < min(lengths(config("data.recipe", "trace_sft_v1")))


def test_data_system_instruction():
    told, untold = (lengths(config("data.system_instruction", text)) for text in ("Be brief!", ""))
    assert all(with_it > without for with_it, without in zip(told, untold, strict=True))


def test_data_max_length():
    assert first_batch(config("data.max_length", 100)).tokens.shape[1] == 100


def test_data_packing():
    packed, alone = (
        first_batch(config("data.packing", packing, data={"max_length": 200})).segments.max()
        for packing in (True, False)
    )
    assert packed > alone == 1


def test_data_overlong():
    longest = max(lengths(config()))
    data = {"max_length": longest - 1}
    assert len(lengths(config("data.overlong", "drop", data=data))) < len(lengths(config()))
    with pytest.raises(Invalid, match="longer than"):
        lengths(config("data.overlong", "error", data=data))


def test_training_steps():
    assert plan(config("training.steps", 5), ROWS).updates == 5


def test_training_epochs():
    once, thrice = (plan(config("training.epochs", epochs), ROWS) for epochs in (1, 3))
    assert once.epochs >= 1
    assert thrice.updates > 2 * once.updates


def test_training_batch_size():
    assert len(first_batch(config("training.batch_size", 3)).tokens) == 3


def test_training_tokens_per_batch():
    assert first_batch(config("training.tokens_per_batch", 5 * 96 + 1)).tokens.shape == (5, 96)


def test_training_gradient_accumulation():
    assert len(first_batch(config("training.gradient_accumulation", 3)).tokens) == 2 * 3


def test_training_microbatch():
    batch = {"steps": 6, "batch_size": 10}
    for size, parts in ((1, 10), (5, 2), (None, 5)):
        assert f"length={parts}" in computed(config("training.microbatch", size, training=batch)).split()


def test_training_learning_rate():
    assert max(rates(config("training.learning_rate", 0.25))) == 0.25


def test_training_schedule():
    curves = [rates(config("training.schedule", schedule)) for schedule in ("constant", "linear", "cosine")]
    assert len(set(curves[0])) == 1
    assert np.diff(curves[1]) == pytest.approx([-1e-3 / 6] * 5)
    assert curves[2][3] == pytest.approx(curves[2][0] / 2)


def test_training_warmup():
    assert rates(config("training.warmup", 3))[:4] == pytest.approx([2.5e-4, 5e-4, 7.5e-4, 1e-3])


def test_training_weight_decay():
    none, some = (updated(config("training.weight_decay", decay), gradient=0.0) for decay in (0.0, 0.5))
    assert (none, some) == (0, pytest.approx(-0.5 * sum(rates(config())[:2])))


def test_training_grad_clip():
    tight, wide = (updated(config("training.grad_clip", norm), gradient=8.0) for norm in (0.5, 100.0))
    assert tight < wide < 0  # cut to one size, both gradients count alike


def test_training_dtype():
    assert "bf16" not in computed(config("training.dtype", "float32"))
    for model in ({}, {"lora": {}}):
        assert "bf16" in computed(config("training.dtype", "bfloat16", model=model))


def test_training_patience(tmp_path):
    patient = config("training.patience", 2, eval={"every": 1})
    assert run(patient, tmp_path / "patient")[0]["valid"] == 3
    assert run(replace(patient, training=replace(patient.training, patience=None)), tmp_path / "all")[0]["valid"] == 6


def test_training_max_seconds(tmp_path):
    lines, _ = run(config("training.max_seconds", 1, training={"steps": 10_000_000, "log_every": 10_000}), tmp_path)
    assert lines["train"] < 1000


def test_training_seed():
    one, same, other = (first_batch(config("training.seed", seed)).tokens for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_training_log_every(tmp_path):
    assert run(config("training.log_every", 4), tmp_path)[0]["train"] == len({1, 4, 6})


def test_eval_evalset(tmp_path, capsys):
    asked = config("eval.evalset", str(tmp_path / "asked.jsonl"))
    (tmp_path / "config.json").write_text(json.dumps(asked.to_dict()))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    files = ["--config", str(tmp_path / "config.json"), "--data", str(tmp_path / "rows.jsonl")]
    assert train_jax.main([*files, "--output", str(tmp_path / "run"), "--eval_after_train"]) == 64
    assert "asked.jsonl: No such file" in capsys.readouterr().err


def test_eval_every(tmp_path):
    assert run(config("eval.every", 2), tmp_path)[0]["valid"] == len({2, 4, 6})


def test_eval_max_new_tokens():
    row = answered(max_new_tokens=3)
    assert (row["output_tokens"], row["finish_reason"]) == (3, "length")


def test_eval_temperature():
    assert answered(temperature=100.0)["output"] != answered()["output"]


def test_eval_top_k():
    assert answered(temperature=100.0, top_k=1)["output"] == answered()["output"]


def test_eval_top_p():
    assert answered(temperature=1.0, top_p=1e-6)["output"] == answered()["output"]


def test_checkpoint_every(tmp_path):
    assert run(config("checkpoint.every", 4), tmp_path)[1] == {"0", "4", "6"}


def test_checkpoint_keep(tmp_path):
    assert run(config("checkpoint.keep", 1, checkpoint={"every": 1, "best": False}), tmp_path)[1] == {"0", "6"}


def test_checkpoint_best(tmp_path):
    kept = {}
    for best in (True, False):
        kept[best] = run(config("checkpoint.best", best, checkpoint={"every": 1, "keep": 1}), tmp_path / str(best))[1]
    assert kept == {True: {"0", "1", "6"}, False: {"0", "6"}}


def test_mesh_data():
    with pytest.raises(Invalid, match="wants 99 x 1 = 99 devices"):
        make_mesh(config("mesh.data", 99).mesh)


def test_mesh_fsdp():
    with pytest.raises(Invalid, match="wants 1 x 99 = 99 devices"):
        make_mesh(config("mesh.fsdp", 99).mesh)


def test_eval_samples(tmp_path):
    asked = config("eval.samples", 2)
    prompts = [Samples(c, SMALL_SHAPE, TOKENIZER, ROWS, run_dir=tmp_path, step=0).prompts for c in (asked, config())]
    assert [len(each) for each in prompts] == [2, 3]


def test_eval_checkpoints(tmp_path):
    thin = {"checkpoint": {"every": 1, "keep": 1}}
    _, kept = run(config("eval.checkpoints", True, **thin), tmp_path / "all")
    _, thinned = run(config(**thin), tmp_path / "thin")
    assert kept == {"0", "1", "2", "3", "4", "5", "6"}  # until they were examined
    assert thinned < kept
