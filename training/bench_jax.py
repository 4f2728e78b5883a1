"""Our training and generation beside others on the same work, in one call: `python -m training.bench_jax`.

Times depend on the machine and the hour, so a figure is a ratio: every contestant does a round in turn, A B A B …, and
medians are compared. All start from the same parameters and get the same data, and each row says whether they computed
the same: loss curves and greedy tokens are compared too. docs/benchmarks.md explains the rows.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from training.bench_peers import Peer, PeerAbsent, Round
from training.command import outcome
from training.config import DEFAULT_SIZE, TrainingConfig, load_config
from training.errors import Fault, Invalid, echo
from training.packing import Batch, Example, PackedData
from training.record import machine
from training.shapes import ModelShape, model_shape, parameter_count

WORK_NAMES = {"tiny": "train_1m", "small": "train_5m", "medium": "train_20m"}
TRAINING = TrainingConfig(schedule="constant", learning_rate=1e-3)
UPDATES = 2  # a round of training
SAME_CURVE = 1e-4  # loss curves that stay this close come from the same function
PACKED_LENGTH, PACKED_ROWS = 512, 64
PROMPTS, NEW_TOKENS, GENERATION_BATCH = 100, 128, 50
LIBRARIES = ("jax", "jaxlib", "flax")
PEAK_SIDE = 2048  # of the square matrices whose product is the peak

Contestants = dict[str, Callable[[], Round]]


@dataclass(frozen=True)
class Row:
    """One comparison: medians in `unit`, whether both computed the same, and why there is no ratio if so."""

    work: str
    peer: str
    unit: str
    ours: float
    theirs: float | None
    ratio: float | None
    same: str | None = None
    reason: str | None = None


@dataclass
class Bench:
    """A call of this script: how many rounds, the rows so far, the versions of those that took part."""

    rounds: int
    rows: list[Row] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=lambda: {name: version(name) for name in LIBRARIES})

    def compete(self, work: str, unit: str, contestants: Contestants, peer_job: tuple[dict, dict]) -> None:
        """Rounds in turn of "ours", the other `contestants` and transformers; a row for each of the others."""
        reason = None
        try:
            with Peer(*peer_job) as peer:
                self.versions |= peer.versions
                turns = self._turns(contestants | {"transformers": peer.round})
        except PeerAbsent as absent:
            turns, reason = self._turns(contestants), str(absent)
        rates = {name: median(turn[name]["done"] / turn[name]["seconds"] for turn in turns) for name in turns[0]}
        for name in [*turns[0]][1:]:
            same = _same([turn["ours"] for turn in turns], [turn[name] for turn in turns])
            self.rows.append(Row(work, name, unit, rates["ours"], rates[name], rates["ours"] / rates[name], same))
        if reason:
            self.rows.append(Row(work, "transformers", unit, rates["ours"], None, None, reason=reason))

    def _turns(self, contestants: Contestants) -> list[dict[str, Round]]:
        for contestant in contestants.values():  # compiles, and fills caches
            contestant()
        return [{name: contestant() for name, contestant in contestants.items()} for _ in range(self.rounds)]

    def add_share_of_peak(self, work: str, shape: ModelShape) -> None:
        """The peak's rate is in GFLOP/s; training needs 6 operations a parameter and token."""
        for i, row in enumerate(self.rows):
            if (row.work, row.peer) == (work, "peak") and row.theirs:
                ours = row.ours * 6e-9 * parameter_count(shape)
                self.rows[i] = Row(work, "peak", "GFLOP/s", ours, row.theirs, ours / row.theirs)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench_jax", description="Speed beside others, measured in turn.")
    parser.add_argument("--config", type=Path, help="measure the model, batch and length of this config")
    parser.add_argument("--work", action="append", metavar="NAME", help="only this work, e.g. train_1m; repeatable")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each contestant (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    return outcome(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    from training.engine.runtime import start_jax

    start_jax("auto")
    works, bench = _works(options.config), Bench(options.rounds)
    for name in options.work or works:
        if name not in works:
            msg = f"{echo(name)} is no work; choose from {', '.join(works)}"
            raise Invalid(Fault(("--work",), msg, "unknown_value"))
    place = machine() | {"load": round(os.getloadavg()[0], 1)}
    for name in options.work or works:
        works[name](bench)
    result = {"machine": place, "versions": bench.versions, "rows": [asdict(row) for row in bench.rows]}
    print(json.dumps(result, indent=2) if options.json else _table(bench, place))


def _works(config_file: Path | None) -> dict[str, Callable[[Bench], None]]:
    """The works by name: training at each size, the rest with the smallest model."""
    sizes, vocab_size, batch_size, length = list(WORK_NAMES), 512, 16, 256
    if config_file:
        config = load_config(config_file)
        sizes, vocab_size = [config.model.size or DEFAULT_SIZE], config.tokenizer.vocab_size
        batch_size, length = config.batch_size, config.data.max_length
    shape = model_shape(sizes[0], vocab_size)
    training = {
        WORK_NAMES.get(size, f"train_{size}"): lambda bench, size=size: _train(
            bench, size, model_shape(size, vocab_size), [length] * batch_size
        )
        for size in sizes
    }
    return training | {
        "train_packed": lambda bench: _train_packed(bench, shape),
        "generate_equal": lambda bench: _generate(bench, "generate_equal", shape, lengths=(60, 60)),
        "generate_varied": lambda bench: _generate(bench, "generate_varied", shape, lengths=(20, 100)),
    }


def _train(bench: Bench, size: str, shape: ModelShape, lengths: list[int]) -> None:
    """Full sequences, beside the peak of the matrix product as well."""
    work, batch = WORK_NAMES.get(size, f"train_{size}"), _batch(shape, lengths, max(lengths), packing=False)
    contestants = {"ours": _training(shape, batch), "peak": _matrix_product()}
    bench.compete(work, "tokens/s", contestants, _training_job(shape, batch))
    bench.add_share_of_peak(work, shape)


def _train_packed(bench: Bench, shape: ModelShape) -> None:
    """Rows of realistic lengths: ours packed, ours padded to the full length, theirs padded to the longest."""
    generator = np.random.default_rng(0)
    lengths = generator.lognormal(np.log(138), 0.52, PACKED_ROWS).clip(16, PACKED_LENGTH).astype(int).tolist()
    packed, padded = (_batch(shape, lengths, PACKED_LENGTH, packing=packing) for packing in (True, False))
    contestants = {"ours": _training(shape, packed), "padded": _training(shape, padded)}
    bench.compete("train_packed", "tokens/s", contestants, _training_job(shape, padded))


def _generate(bench: Bench, work: str, shape: ModelShape, *, lengths: tuple[int, int]) -> None:
    """Greedy answers to prompts of `lengths` (shortest, longest); prompts that vary get answers that vary."""
    from training.engine.model import init_params

    generator, params = np.random.default_rng(0), init_params(shape, 0)
    sizes = generator.integers(lengths[0], lengths[1] + 1, PROMPTS)
    prompts = [generator.integers(5, shape.vocab_size, size).tolist() for size in sizes]
    stop_id = shape.vocab_size  # no such token: every answer has full length
    if lengths[0] != lengths[1]:
        stop_id = _stop_that_varies_lengths(_generation(shape, params, prompts, stop_id)()["tokens"])
    tokens = np.zeros((PROMPTS, max(sizes)), np.int32)
    mask = np.arange(max(sizes)) >= max(sizes) - sizes[:, None]
    tokens[mask] = np.concatenate(prompts)
    job = {"work": "generate", "shape": asdict(shape), "max_new_tokens": NEW_TOKENS, "stop_id": stop_id}
    arrays = {"tokens": tokens, "mask": mask.astype(np.int32)} | _flat(params)
    bench.compete(work, "tokens/s", {"ours": _generation(shape, params, prompts, stop_id)}, (job, arrays))


def _training(shape: ModelShape, batch: Batch) -> Callable[[], Round]:
    from training.engine.step import init_state, make_optimizer, make_train_step

    optimizer = make_optimizer(TRAINING, 1)
    step, state = make_train_step(shape, optimizer), init_state(shape, optimizer, seed=0)

    def one_round() -> Round:
        nonlocal state
        begin, losses = time.perf_counter(), []
        for _ in range(UPDATES):
            state, metrics = step(state, batch)
            losses.append(metrics["loss"])
        curve = [float(loss) for loss in losses]  # waits for the device
        return {"seconds": time.perf_counter() - begin, "done": UPDATES * batch.useful_tokens, "losses": curve}

    return one_round


def _training_job(shape: ModelShape, padded: Batch) -> tuple[dict, dict]:
    from training.engine.model import init_params

    job = {
        "work": "train",
        "shape": asdict(shape),
        "learning_rate": TRAINING.learning_rate,
        "grad_clip": TRAINING.grad_clip,
        "updates": UPDATES,
        "rows_at_once": 16,
        "done": UPDATES * padded.useful_tokens,
    }
    arrays = {name: getattr(padded, name) for name in ("tokens", "targets", "segments", "loss_mask")}
    return job, arrays | _flat(init_params(shape, 0))


def _generation(shape: ModelShape, params: Any, prompts: list[list[int]], stop_id: int) -> Callable[[], Round]:
    from training.engine.sampling import generate

    def one_round() -> Round:
        begin = time.perf_counter()
        answers = generate(
            params,
            shape,
            prompts,
            max_new_tokens=NEW_TOKENS,
            stop_id=stop_id,
            pad_id=0,
            batch_size=GENERATION_BATCH,
        )
        seconds, tokens = time.perf_counter() - begin, [answer.tokens for answer in answers]
        return {"seconds": seconds, "done": sum(map(len, tokens)), "tokens": tokens}

    return one_round


def _matrix_product() -> Callable[[], Round]:
    """The fastest thing the same library does on this machine: one large float32 matrix product."""
    import jax
    import jax.numpy as jnp

    matrix = jnp.ones((PEAK_SIDE, PEAK_SIDE), jnp.float32)
    product = jax.jit(jnp.matmul)

    def one_round() -> Round:
        begin = time.perf_counter()
        product(matrix, matrix).block_until_ready()
        return {"seconds": time.perf_counter() - begin, "done": 2e-9 * PEAK_SIDE**3}

    return one_round


def _batch(shape: ModelShape, lengths: list[int], capacity: int, *, packing: bool) -> Batch:
    """One batch of all rows: random tokens, one place fewer than tokens, all but the first token trained."""
    generator = np.random.default_rng(0)
    rows = [generator.integers(5, shape.vocab_size, length + 1).astype(np.int32) for length in lengths]
    examples = [Example(str(i), row, prompt_length=1) for i, row in enumerate(rows)]
    data = partial(PackedData, examples, length=capacity, packing=packing, seed=0, epochs=1)
    return data(batch_size=data(batch_size=1).sequences).batch(0)


def _stop_that_varies_lengths(answers: list[list[int]]) -> int:
    """The token that ends answers at about half their length on average, when it is taken as the stop token."""

    def mean_length(stop: int) -> float:
        return mean(answer.index(stop) if stop in answer else len(answer) for answer in answers)

    tokens = {token for answer in answers for token in answer}
    return min(tokens, key=lambda stop: abs(mean_length(stop) - NEW_TOKENS / 2))


def _same(ours: list[Round], theirs: list[Round]) -> str | None:
    """A sentence on whether both computed the same; None where there is nothing to compare."""
    if "losses" in theirs[0]:
        pairs = [zip(a["losses"], b["losses"], strict=True) for a, b in zip(ours, theirs, strict=True)]
        apart = max(abs(a - b) for pair in pairs for a, b in pair)
        return f"{'yes' if apart <= SAME_CURVE else 'NO'}: losses at most {apart:.0e} apart"
    if "tokens" in theirs[0]:
        equal = sum(a == b for a, b in zip(ours[0]["tokens"], theirs[0]["tokens"], strict=True))
        return f"{'yes' if equal == PROMPTS else 'NO'}: {equal} of {PROMPTS} answers equal"
    return None


def _flat(params: Any) -> dict[str, np.ndarray]:
    from flax.traverse_util import flatten_dict

    return {f"params/{name}": np.asarray(value) for name, value in flatten_dict(params, sep="/").items()}


def _table(bench: Bench, place: dict[str, Any]) -> str:
    """The rows for people, under a line that names machine and versions."""
    heads = ("work", "beside", "ours", "theirs", "ratio", "unit", "same function")
    cells = [heads]
    for row in bench.rows:
        theirs, ratio = (f"{row.theirs:,.0f}", f"{row.ratio:.2f}") if row.theirs and row.ratio else ("–", "–")
        cells.append((row.work, row.peer, f"{row.ours:,.0f}", theirs, ratio, row.unit, row.same or row.reason or ""))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    versions = ", ".join(f"{name} {number}" for name, number in bench.versions.items())
    title = f"{place['cpu']}, {place['cores']} cores, load {place['load']} before; {versions}"
    return "\n".join([f"{title}; medians of {bench.rounds} rounds", *lines])


if __name__ == "__main__":
    raise SystemExit(main())
