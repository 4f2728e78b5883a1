"""What all contestants are given: the same weights, the same sequences, the same prompts. numpy alone makes them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from training.packing import Batch, Example, PackedData
from training.published_names import parameters
from training.shapes import ModelShape

FIRST_TOKEN = 5  # those before are special
SUCCESSORS = 4  # a token is followed by one of so many: something a model can learn
LENGTH_OF_A_ROW = (138, 0.52)  # median and log-normal spread of reasoning traces in tokens
INITIAL_SPREAD = 0.02
QUIET, QUIETER = "after_attention_norm", -0.7  # a norm multiplies by 1 + its weight


def weights(shape: ModelShape) -> dict[str, np.ndarray]:
    """Fresh parameters by our names under `params/`: matrices normal(0, 0.02), norms zero."""
    generator = np.random.default_rng(0)
    return {
        f"params/{parameter.path}": generator.normal(0, INITIAL_SPREAD, parameter.shape).astype(np.float32)
        if parameter.is_turned or parameter.path == "embedding"
        else np.zeros(parameter.shape, np.float32)
        for parameter in parameters(shape)
    }


def talkative_weights(shape: ModelShape) -> dict[str, np.ndarray]:
    """Weights whose greedy answers do not soon repeat one token, as those of `weights` do, so that they end anywhere.

    What attention adds counts for less: it changes little from one token to the next.
    """
    quieter = {name: np.full_like(value, QUIETER) for name, value in weights(shape).items() if QUIET in name}
    return weights(shape) | quieter


def batches(
    shape: ModelShape, lengths: Sequence[int], capacity: int, *, packing: bool, updates: int
) -> dict[str, np.ndarray]:
    """`updates` batches, each of rows of these lengths in sequences of `capacity`: [updates, B, capacity] by field.

    A row's last place is not trained: who reads tokens and targets from one sequence has no target there.
    """
    made = [_batch(list(_chain(shape, lengths, seed)), capacity, packing=packing) for seed in range(updates)]
    return {name: np.stack([getattr(batch, name) for batch in made]) for name in Batch._fields}


def dataset_rows(count: int = 200) -> Iterator[dict[str, Any]]:
    """Rows of a dataset that anybody can learn: sums with their steps."""
    generator = np.random.default_rng(0)
    for number in range(count):
        a, b, c = generator.integers(10, 999, 3).tolist()
        steps = [f"{a} + {b} = {a + b}", f"{a + b} + {c} = {a + b + c}"]
        yield {
            "id": str(number),
            "split": "train",
            "prompt": f"What is {a} + {b} + {c}?",
            "steps": [{"i": i, "type": "compute", "content": step} for i, step in enumerate(steps)],
            "final_answer": str(a + b + c),
            "meta": None,
        }


def published(shape: ModelShape, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights among `arrays` under the published names."""
    return {
        f"model.{name}": value
        for parameter in parameters(shape)
        for name, value in parameter.take_apart(arrays[f"params/{parameter.path}"]).items()
    }


def useful_tokens(arrays: Mapping[str, np.ndarray]) -> int:
    """Places of all updates that hold a row."""
    return int(np.count_nonzero(arrays["segments"]))


def realistic_lengths(rows: int, longest: int) -> list[int]:
    median, spread = LENGTH_OF_A_ROW
    return np.random.default_rng(0).lognormal(np.log(median), spread, rows).clip(16, longest).astype(int).tolist()


def prompts(shape: ModelShape, count: int, shortest: int, longest: int) -> list[list[int]]:
    """Random tokens after token 2, `<bos>`, which Tunix's sampler puts first by itself."""
    generator = np.random.default_rng(0)
    sizes = generator.integers(shortest, longest + 1, count)
    return [[2, *generator.integers(FIRST_TOKEN, shape.vocab_size, size - 1).tolist()] for size in sizes]


def _batch(rows: list[np.ndarray], capacity: int, *, packing: bool) -> Batch:
    examples = [Example(str(number), row, prompt_length=1) for number, row in enumerate(rows)]
    data = partial(PackedData, examples, length=capacity, packing=packing, seed=0, epochs=1)
    made = data(batch_size=data(batch_size=1).sequences).batch(0)
    # Without packing, a run's own sequences end with the longest row; here they are as long as they are said to be.
    batch = Batch(*(np.pad(field, ((0, 0), (0, capacity - field.shape[1]))) for field in made))
    follows = np.pad(batch.segments[:, 1:], ((0, 0), (0, 1))) == batch.segments
    return batch._replace(loss_mask=batch.loss_mask * follows)


def _chain(shape: ModelShape, lengths: Sequence[int], seed: int) -> Iterator[np.ndarray]:
    """Rows of `length` + 1 tokens from one Markov chain."""
    tokens = np.arange(FIRST_TOKEN, shape.vocab_size)
    follow = np.random.default_rng(0).choice(tokens, (shape.vocab_size, SUCCESSORS))
    generator = np.random.default_rng([1, seed])
    for length in lengths:
        row, turns = [int(generator.choice(tokens))], generator.integers(SUCCESSORS, size=length)
        for turn in turns:
            row.append(int(follow[row[-1], turn]))
        yield np.array(row, np.int32)
