import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.packing import Example, PackedData, encode_example, pack
from training.renderers import TRACE_SFT, render_response
from training.tokenizer import Tokenizer, training_texts


def example(name: str, length: int, prompt_length: int = 2) -> Example:
    return Example(name, np.arange(1, length + 2, dtype=np.int32), prompt_length)


def data(lengths=(3, 5, 2, 4, 4, 1), *, length=8, batch_size=2, packing=True, seed=1, epochs=None) -> PackedData:
    examples = [example(f"row{i}", n) for i, n in enumerate(lengths)]
    return PackedData(examples, length=length, batch_size=batch_size, packing=packing, seed=seed, epochs=epochs)


@given(st.lists(st.integers(1, 20), min_size=1), st.randoms(use_true_random=False))
def test_packing_loses_nothing_and_overfills_nothing(lengths, rng):
    order = rng.sample(range(len(lengths)), len(lengths))
    groups = pack(lengths, 20, order)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in group) <= 20 for group in groups)
    assert len(groups) == len(pack(lengths, 20, range(len(lengths))))  # the order mixes, it does not waste


def test_without_packing_sequences_are_as_long_as_the_longest_row_needs():
    padded = data([3, 17, 5], length=512, batch_size=3, packing=False)
    assert padded.batch(0).tokens.shape == (3, 32)
    assert padded.fill == 25 / 96
    assert data([3, 17, 5], length=20, packing=False).batch(0).tokens.shape == (2, 20)
    assert data([3, 17, 5], length=512, packing=True).batch(0).tokens.shape == (2, 512)


def test_best_fit_takes_the_tightest_room():
    assert pack([6, 5, 3, 4], 10, range(4)) == [[0, 3], [1, 2]]


@pytest.mark.parametrize(("rows", "share"), [(64, 0.93), (1000, 0.985), (5000, 0.99)])
def test_rows_of_the_usual_lengths_leave_few_places_empty(rows, share):
    for seed in range(5):
        drawn = np.random.default_rng(seed).lognormal(np.log(138), 0.52, rows)  # in the mean 158
        lengths = np.clip(np.rint(drawn), 1, 512).astype(int).tolist()
        packed = data(lengths, length=512)
        assert packed.fill >= share
        assert packed.sequences <= 1.01 * sum(lengths) / 512 + 2


def test_a_row_is_laid_out_with_its_own_positions_and_targets():
    batch = data([3, 5], batch_size=1).batch(0)
    assert batch.tokens.tolist() == [[1, 2, 3, 4, 5, 1, 2, 3]]
    assert batch.targets.tolist() == [[2, 3, 4, 5, 6, 2, 3, 4]]
    assert batch.positions.tolist() == [[0, 1, 2, 3, 4, 0, 1, 2]]
    assert batch.segments.tolist() == [[1, 1, 1, 1, 1, 2, 2, 2]]
    assert batch.loss_mask.tolist() == [[0, 1, 1, 1, 1, 0, 1, 1]]  # the first response token is predicted too
    assert batch.useful_tokens == 8


def test_the_loss_falls_on_exactly_the_response():
    row = {"id": "a", "prompt": "2 + 2?", "steps": [{"i": 0, "type": "x", "content": "2 + 2 = 4"}], "final_answer": "4"}
    tokenizer = Tokenizer.train(training_texts([row], ""), 300)
    encoded = encode_example(tokenizer, row, recipe=TRACE_SFT, instruction="")
    batch = PackedData([encoded], length=128, batch_size=1, packing=True, seed=0, epochs=1).batch(0)
    trained = batch.targets[batch.loss_mask == 1]
    assert tokenizer.decode(trained.tolist()) == render_response(row, TRACE_SFT)


def test_without_packing_each_sequence_holds_one_row():
    rows = data(packing=False, batch_size=6).row_ids(0)
    assert sorted(rows) == [[f"row{i}"] for i in range(6)]


def test_a_batch_is_a_function_of_its_number():
    first, again = data(seed=5), data(seed=5)
    numbers = [4, 0, 9, 4]
    for number in numbers:
        assert all(np.array_equal(a, b) for a, b in zip(first.batch(number), again.batch(number), strict=True))


def test_epochs_and_seeds_differ_in_order():
    lengths = [4] * 40
    orders = [
        [data(lengths, batch_size=20, seed=seed).row_ids(number) for number in numbers]
        for seed, numbers in ((1, [0]), (1, [1]), (2, [0]))
    ]
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]


def test_every_row_is_seen_once_an_epoch_across_batch_ends():
    three = data(epochs=3)
    seen = [row for number in range(len(three)) for sequence in three.row_ids(number) for row in sequence]
    assert sorted(seen) == sorted([f"row{i}" for i in range(6)] * 3)
    assert three.position(len(three) - 1)[0] == 2


def test_the_last_batch_of_the_last_epoch_ends_in_empty_sequences():
    batch = data([8, 8, 8], batch_size=2, epochs=1).batch(1)
    assert batch.segments[1].tolist() == [0] * 8
    assert batch.loss_mask[1].sum() == 0


def test_without_epochs_batches_never_end():
    endless = data([8, 8, 8], batch_size=2)
    assert all(endless.batch(number).useful_tokens == 16 for number in (0, 1, 2, 1000))
