"""The loop with a learner that is small enough to be compiled in no time: when it looks, saves, stops and goes on."""

import json
import math
import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from training import lifeline
from training.canonical import canonical_json, sha256_hex
from training.config import TrainConfig
from training.engine import checkpoint, loop, microbatch
from training.engine.step import TrainState
from training.errors import Invalid
from training.ledger import read_ledger
from training.lifeline import TRANSIENT, Failure
from training.packing import Batch
from training.problems import generate_traces

CONFIG = {
    "tokenizer": {"vocab_size": 300},
    "data": {"max_length": 96},
    "training": {"steps": 12, "batch_size": 2, "learning_rate": 0.1, "schedule": "constant"},
    "eval": {"every": 2},
    "checkpoint": {"every": 4, "keep": 1},
}
TRACES = list(generate_traces("chain", count=12, seed=1, difficulty=2))


@lru_cache
def bigram(config: TrainConfig, vocab_size: int, total: int) -> loop.Learner:
    """A table of what follows each token, by Adam: learns as any learner does."""
    optimizer = optax.adam(config.training.learning_rate)

    def summed(params, batch: Batch):
        logits = params["table"][batch.tokens]
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch.targets) * batch.loss_mask
        return losses.sum(), losses

    def fresh() -> TrainState:
        params = {"table": jnp.zeros((vocab_size, vocab_size))}
        return TrainState(step=jnp.zeros((), jnp.int32), params=params, opt_state=optimizer.init(params))

    @jax.jit
    def step(state: TrainState, batch: Batch):
        (loss, losses), gradient = jax.value_and_grad(summed, has_aux=True)(state.params, batch)
        tokens = batch.loss_mask.sum()
        gradient = jax.tree.map(lambda leaf: leaf / tokens, gradient)
        updates, opt_state = optimizer.update(gradient, state.opt_state)
        norm = optax.tree.norm(gradient)
        metrics = {"loss": loss / tokens, "grad_norm": norm, "tokens": tokens, "losses": losses}
        return TrainState(state.step + 1, optax.apply_updates(state.params, updates), opt_state), metrics

    eval_loss = jax.jit(lambda params, batch: (summed(params, batch)[0], batch.loss_mask.sum()))
    return loop.Learner(fresh=fresh, like=fresh, step=step, eval_loss=eval_loss)


def judged(losses: list[float]):
    """A learner as `bigram`, whose losses on the valid split are these, one look after the other."""
    left = iter(losses)

    def engine(config: TrainConfig, vocab_size: int, total: int) -> loop.Learner:
        return bigram(config, vocab_size, total)._replace(eval_loss=lambda params, batch: (next(left), 1.0))

    return engine


def rows(valid: int = 2) -> list[dict]:
    """The valid split is one batch, so that each look is one loss."""
    return [{**trace, "id": f"row{i}", "split": "valid" if i < valid else "train"} for i, trace in enumerate(TRACES)]


def train(
    run_dir: Path, *, engine=bigram, data: list[dict] | None = None, known: dict | None = None, **changes
) -> Path:
    sections = {name: CONFIG.get(name, {}) | changes.get(name, {}) for name in CONFIG.keys() | changes.keys()}
    config = TrainConfig.from_dict(sections).resolved(seed=5)
    record = (known or {}) | {"config_sha256": config.sha256()}
    loop.train(config, data or rows(), run_dir, record=record, engine=engine)
    return run_dir


def steps(run_dir: Path) -> list[int]:
    return checkpoint.steps(run_dir / "checkpoints")


def progress(run_dir: Path, step: int) -> dict:
    return checkpoint.read_progress(run_dir / "checkpoints" / str(step))


def lines(run_dir: Path) -> list[tuple]:
    found = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["split"], line["loss"]) for line in found]


def ledger(run_dir: Path) -> bytes:
    return (run_dir / "ledger" / "losses.bin").read_bytes()


def log(run_dir: Path) -> str:
    return (run_dir / "train.log").read_text()


def test_a_checkpoint_says_where_the_run_stood_and_what_order_it_had(tmp_path):
    run = train(tmp_path)
    found = progress(run, 12)
    assert found["seed"] == 5
    assert len(found["config_sha256"]) == 64
    assert found["position"] == [2, 4]  # 12 updates of 2 sequences, 10 rows an epoch, 1 row a sequence
    assert found["tokens"] > 0
    assert found["valid_loss"] == lines(run)[-1][2]


def test_the_newest_the_first_and_the_best_stay(tmp_path):
    assert steps(train(tmp_path / "late", engine=judged([9, 8, 7, 6, 5, 4]))) == [0, 12]
    early = train(tmp_path / "early", engine=judged([9, 1, 7, 6, 5, 4]))
    assert steps(early) == [0, 4, 12]
    assert checkpoint.best_sealed(early / "checkpoints").name == "4"
    without = train(tmp_path / "without", engine=judged([9, 1, 7, 6, 5, 4]), checkpoint={"best": False})
    assert steps(without) == [0, 12]


def test_a_checkpoint_that_may_be_the_best_gets_a_look_of_its_own(tmp_path):
    def looks(name: str, best: bool) -> list[int]:
        run = train(tmp_path / name, eval={"every": 5}, checkpoint={"best": best})
        return [step for step, split, _ in lines(run) if split == "valid"]

    assert looks("best", True) == [4, 5, 8, 10, 12]
    assert looks("newest", False) == [5, 10, 12]


def test_training_stops_when_the_valid_loss_falls_no_more_and_stays_stopped(tmp_path):
    run = train(tmp_path, engine=judged([9, 3, 4, 5, 6, 1]), training={"patience": 2})
    assert lines(run)[-2:] == [(8, "train", lines(run)[-2][2]), (8, "valid", 5)]
    assert steps(run) == [0, 4, 8]
    assert progress(run, 8)["ended"] == "patience"
    assert "2 looks at the valid split found no loss below the 3.0000 of step 4" in log(run)
    assert "Of the checkpoints, the one of the lowest valid loss is what will be examined" in log(run)
    assert checkpoint.find(run / "checkpoints").name == "4"
    before = (run / "metrics.jsonl").read_bytes()
    assert (train(run, training={"patience": 2}) / "metrics.jsonl").read_bytes() == before
    assert steps(run) == [0, 4, 8]


def test_training_stops_when_no_valid_loss_is_a_number(tmp_path):
    run = train(tmp_path, engine=judged([math.nan, math.inf]), training={"patience": 2})
    assert "step 4/12 training stops here: none of 2 looks at the valid split gave a loss that is a number" in log(run)
    assert checkpoint.find(run / "checkpoints").name == "4"


def test_patience_counts_on_over_an_interruption(tmp_path):
    run, damaged = tmp_path, tmp_path / "checkpoints" / "8" / "MANIFEST.json"
    train(run, engine=judged([9, 3, 4, 5]), training={"patience": 2})
    damaged.write_text("{}")  # back to step 4, at which the best loss was one look old
    train(run, engine=judged([4, 5]), training={"patience": 2})
    assert progress(run, 8)["looks"] == [3, 4, 2]


def test_without_the_best_the_newest_is_examined_after_an_early_stop(tmp_path):
    run = train(
        tmp_path, engine=judged([9, 3, 4, 5, 6, 1]), training={"patience": 2}, checkpoint={"best": False, "keep": 2}
    )
    assert checkpoint.find(run / "checkpoints").name == "8"


def test_training_stops_when_its_time_is_over_and_stays_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "out_of_time", lambda training, elapsed: training.max_seconds == 60 and next(calls) > 6)
    calls = iter(range(1, 99))
    run = train(tmp_path, training={"max_seconds": 60, "log_every": 5})
    assert [step for step, split, _ in lines(run) if split == "train"] == [1, 2, 4, 5, 6, 7]
    assert lines(run)[-1][:2] == (7, "valid")
    assert steps(run)[-1] == 7
    assert "step 7/12 training took the 60 s it was given" in log(run)
    train(run, training={"max_seconds": 60, "log_every": 5})
    assert steps(run)[-1] == 7


def test_the_seconds_of_earlier_attempts_count(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "stop_requested", lambda: True)
    with pytest.raises(Failure) as stop:
        train(tmp_path, training={"max_seconds": 3600})
    assert stop.value.code == TRANSIENT
    seal = tmp_path / "checkpoints" / "1"
    metadata = seal / "progress" / "metadata"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"elapsed": 3600.0}))
    checkpoint._seal(seal)
    monkeypatch.setattr(loop, "stop_requested", lambda: False)
    train(tmp_path, training={"max_seconds": 3600})
    assert steps(tmp_path)[-1] == 2


def test_a_step_is_announced_only_once_it_is_sealed(tmp_path, monkeypatch):
    sealed_when_told = []

    def emit(event: str, **fields: object) -> None:
        if event == "checkpoint":
            sealed_when_told.append(
                (fields["step"], checkpoint.is_sealed(tmp_path / "checkpoints" / str(fields["step"])))
            )

    monkeypatch.setattr(lifeline, "emit", emit)
    train(tmp_path, checkpoint={"keep": 9})
    assert sealed_when_told == [(0, True), (4, True), (8, True), (12, True)]


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path, monkeypatch):
    going_on, save = threading.Event(), checkpoint.save

    def slow_save(directory: Path, step: int, **what: object) -> Path:
        if step == 4:
            assert going_on.wait(30), "the update after the checkpoint was not made before it was sealed"
        return save(directory, step, **what)

    def engine(config: TrainConfig, vocab_size: int, total: int) -> loop.Learner:
        learner = bigram(config, vocab_size, total)

        def step(state: TrainState, batch: Batch):
            if int(state.step) == 5:
                going_on.set()
            return learner.step(state, batch)

        return learner._replace(step=step)

    monkeypatch.setattr(checkpoint, "save", slow_save)
    assert steps(train(tmp_path, engine=engine))[-1] == 12


def test_a_save_that_fails_ends_the_run_and_leaves_what_was_sealed(tmp_path, monkeypatch):
    seal = checkpoint._seal

    def full(path: Path) -> None:
        if path.name == "8":
            raise OSError(28, "No space left on device")
        seal(path)

    monkeypatch.setattr(checkpoint, "_seal", full)
    with pytest.raises(OSError, match="No space left"):
        train(tmp_path)
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == ["0", "4"]


def test_a_damaged_newest_checkpoint_is_a_warning_and_gives_the_same_curve(tmp_path, monkeypatch):
    whole = train(tmp_path / "whole")
    expected, events = lines(whole), []
    run = train(tmp_path / "run", checkpoint={"keep": 2})
    (run / "checkpoints" / "12" / "MANIFEST.json").unlink()
    next((run / "checkpoints" / "8" / "params").rglob("manifest.ocdbt")).write_bytes(b"")
    monkeypatch.setattr(lifeline, "emit", lambda event, **fields: events.append((event, fields)))
    train(run, checkpoint={"keep": 2})
    message = "warning: checkpoint 8 is damaged and set aside as bad-8; going on after step 0"
    assert ("notice", {"message": message}) in events
    assert message in log(run)
    assert "checkpoint 12 was never sealed: removed" in log(run)
    assert lines(run) == expected
    assert ledger(run) == ledger(whole)
    assert steps(run) == [0, 8, 12]


def test_the_ledger_has_every_row_of_every_update_and_the_mean_of_its_step(tmp_path):
    run = train(tmp_path)
    found, taught = read_ledger(run), [row for row in rows() if row["split"] == "train"]
    assert found.steps().tolist() == list(range(1, 13))
    assert found.id_of(range(10)) == [row["id"] for row in taught]
    named = [json.loads(line) for line in (run / "ledger" / "rows.jsonl").read_text().splitlines()]
    assert named == [{"id": row["id"], "sha256": sha256_hex(canonical_json(row))} for row in taught]
    for step, split, loss in lines(run):
        looks = found.at(step)
        assert split == "valid" or np.average(looks["loss"], weights=looks["tokens"]) == pytest.approx(loss, rel=1e-5)
    assert len(found.looks) == 12 * 2  # one row fills a sequence


def test_an_engine_that_gives_no_losses_by_place_keeps_no_ledger(tmp_path):
    def engine(config: TrainConfig, vocab_size: int, total: int) -> loop.Learner:
        learner = bigram(config, vocab_size, total)

        def step(state: TrainState, batch: Batch):
            state, metrics = learner.step(state, batch)
            return state, {name: metrics[name] for name in ("loss", "grad_norm", "tokens")}

        return learner._replace(step=step)

    assert read_ledger(train(tmp_path, engine=engine)) is None
    assert len((tmp_path / "ledger" / "rows.jsonl").read_text().splitlines()) == 10


def test_a_ledger_that_cannot_be_written_ends_the_run(tmp_path):
    (tmp_path / "ledger" / "losses.bin").mkdir(parents=True)
    with pytest.raises(OSError, match=r"losses\.bin"):
        train(tmp_path)


def test_a_damaged_first_checkpoint_is_made_again(tmp_path):
    run = train(tmp_path)
    before = progress(run, 0)["params_sha256"]
    next((run / "checkpoints" / "0" / "params").rglob("manifest.ocdbt")).write_bytes(b"")
    train(run)
    assert steps(run) == [0, 12]
    assert progress(run, 0)["params_sha256"] == before


@pytest.mark.parametrize(
    "same", [{"batch_size": 2, "gradient_accumulation": 3}, {"batch_size": None, "tokens_per_batch": 6 * 96 + 95}]
)
def test_accumulated_batches_and_batches_in_tokens_are_one_batch(tmp_path, same):
    whole = train(tmp_path / "whole", training={"batch_size": 6})
    other = train(tmp_path / "other", training=same)
    assert lines(other) == lines(whole)
    assert progress(other, 12)["params_sha256"] == progress(whole, 12)["params_sha256"]


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    train(tmp_path)
    with pytest.raises(Invalid, match="belongs to another run: its config_sha256"):
        train(tmp_path, training={"learning_rate": 0.2})
    with pytest.raises(Invalid, match="belongs to another run: its position"):
        train(tmp_path, data=rows(valid=3))


def test_a_run_whose_tokenizer_gives_other_tokens_does_not_go_on_and_nothing_is_written(tmp_path):
    run = train(tmp_path)
    record = json.loads((run / "run.json").read_text())
    assert train(run, known=record) == run
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    with pytest.raises(Invalid, match="the tokenizer gives other tokens than when this run began") as refused:
        train(run, known=record | {"tokens_sha256": "0" * 64})
    assert [(fault.loc, fault.type) for fault in refused.value.faults] == [(("tokens",), "tokens_changed")]
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_microbatch_that_was_chosen_is_recorded_used_everywhere_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNIXRT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(microbatch, "FEW_UPDATES", 1)
    asked, used = [], set()

    def engine(config: TrainConfig, vocab_size: int, total: int) -> loop.Learner:
        asked.append(config.training.microbatch)
        learner = bigram(replace(config, training=replace(config.training, microbatch=None)), vocab_size, total)

        def divided(size: int) -> loop.Learner:
            def eval_loss(params, batch):
                used.add(size)
                return learner.eval_loss(params, batch)

            return learner._replace(eval_loss=eval_loss, divided=divided)

        return divided(asked[-1] or 2)

    def run(name: str, recorded: dict) -> dict:
        config = TrainConfig.from_dict(CONFIG).resolved(seed=5)
        record = {"config_sha256": config.sha256()} | recorded
        loop.train(config, rows(), tmp_path / name, record=record, engine=engine)
        return json.loads((tmp_path / name / "run.json").read_text())

    record = run("run", {"microbatch": None})
    assert asked == [None]
    assert used == {record["microbatch"]}
    assert f"microbatch {record['microbatch']}: an update took" in log(tmp_path / "run")
    run("repeated", record)
    run("as older programs recorded it", {})
    assert asked == [None, record["microbatch"], 2]
