"""What the model sees: each token's kind as training has it, each text as it decodes, the prompt as it is fed."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.config import TrainConfig
from training.errors import Invalid
from training.formats import read_traces
from training.plan import prepare, training_data
from training.renderers import RECIPES, TRACE_SFT, render, render_prompt, render_response
from training.sight import Kind, Piece, Sight, look
from training.tokenizer import tokenizer_for

FIXTURES = Path(__file__).parents[1] / "fixtures"
with (FIXTURES / "gsm8k_sample.jsonl").open("rb") as stream:
    GSM8K = [payload for _, payload in read_traces(stream, source="gsm8k", max_line_bytes=2**20)]
ODD = [snapshot["row"] for snapshot in json.loads((FIXTURES / "rendered.json").read_bytes())]
ROWS = [row | {"id": str(n), "split": "train"} for n, row in enumerate([*GSM8K, *ODD])]
TOKENIZER = tokenizer_for(ROWS, "Add", 300)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def seen(row: dict, recipe: str = TRACE_SFT, max_length: int = 10_000, most: int | None = None) -> Sight:
    return look(row, TOKENIZER, recipe=recipe, instruction="Add", max_length=max_length, most=most)


def text_of(pieces: list[Piece], *kinds: Kind) -> str:
    return "".join(piece.text for piece in pieces if not kinds or piece.kind in kinds)


def config(**data) -> TrainConfig:
    return TrainConfig.from_dict(
        {
            "tokenizer": {"vocab_size": 300},
            "data": {"system_instruction": "Add", **data},
            "training": {"epochs": 1, "batch_size": 2},
        }
    ).resolved(seed=1)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_the_prompt_is_masked_and_the_response_trained_and_both_are_what_evaluation_feeds(row, recipe):
    sight = seen(row, recipe)
    assert text_of(sight.pieces) == f"<bos>{render(row, recipe, 'Add')}"
    assert text_of(sight.pieces, Kind.MASKED) == text_of(sight.prompt) == f"<bos>{render_prompt(row['prompt'], 'Add')}"
    assert text_of(sight.pieces, Kind.TRAINED) == render_response(row, recipe)
    assert (sight.same_tokens, sight.same_bytes) == (True, True)
    prefix = [piece.id for piece in sight.pieces if piece.kind == Kind.MASKED]
    assert prefix == [piece.id for piece in sight.prompt] == TOKENIZER.encode_prompt(row["prompt"], "Add")


@pytest.mark.parametrize("packing", [True, False])
def test_trained_tokens_are_the_targets_with_a_loss_in_the_batches_of_a_run(packing):
    settings = config(packing=packing, max_length=2000)
    prepared = prepare(settings, ROWS)
    data = training_data(settings, prepared.train)
    trained: dict[str, list[int]] = {}
    for number in range(len(data)):
        batch = data.batch(number)
        for line, names in enumerate(data.row_ids(number)):
            for segment, name in enumerate(names, start=1):
                chosen = (batch.segments[line] == segment) & (batch.loss_mask[line] == 1)
                trained[name] = batch.targets[line][chosen].tolist()
    for row in ROWS:
        sight = look(row, prepared.tokenizer, recipe=TRACE_SFT, instruction="Add", max_length=2000)
        assert trained[row["id"]] == [piece.id for piece in sight.pieces if piece.kind == Kind.TRAINED]


def test_a_row_with_cut_tokens_is_the_row_that_training_leaves_out():
    lengths = sorted(seen(row).length for row in ROWS)
    for limit in {8, *lengths, *(length - 1 for length in lengths)}:
        left_out = {row["id"] for row in ROWS if seen(row, max_length=limit).is_left_out}
        if len(left_out) < len(ROWS):  # else nothing is left to train on, which is an error
            assert set(prepare(config(max_length=limit, overlong="drop"), ROWS).overlong) == left_out


def test_tokens_beyond_the_length_are_cut_and_places_behind_a_short_row_are_padding():
    row, length = ROWS[0], seen(ROWS[0]).length
    fitting, short, long = (seen(row, max_length=length + more) for more in (0, 3, -3))
    assert [sight.counts[Kind.PADDING] for sight in (fitting, short, long)] == [0, 3, 0]
    assert [sight.counts[Kind.CUT] for sight in (fitting, short, long)] == [0, 0, 3]
    assert [sight.is_left_out for sight in (fitting, short, long)] == [False, False, True]
    assert [piece.kind for piece in long.pieces[-4:]] == [Kind.TRAINED, *[Kind.CUT] * 3]
    within_the_prompt = seen(row, max_length=8)
    assert within_the_prompt.counts[Kind.TRAINED] == 0
    assert within_the_prompt.counts[Kind.MASKED] == 9
    assert within_the_prompt.same_tokens


@given(TEXTS, TEXTS, TEXTS, st.sampled_from(list(RECIPES)), st.integers(8, 60))
def test_any_row_reads_as_its_tokens_decode(prompt, content, answer, recipe, max_length):
    steps = [{"i": 0, "type": "compute", "content": content}]
    row = {"id": "1", "split": "train", "prompt": prompt, "steps": steps, "final_answer": answer}
    sight = seen(row, recipe, max_length)
    ids = [piece.id for piece in sight.pieces]
    assert text_of(sight.pieces) == TOKENIZER.decode(ids)
    assert b"".join(piece.bytes for piece in sight.pieces) == f"<bos>{render(row, recipe, 'Add')}".encode()
    assert (sight.same_tokens, sight.same_bytes) == (True, True)
    assert sight.token_count == len(ids) == sum(sight.counts.values()) - sight.counts[Kind.PADDING]
    assert sight.length + sight.counts[Kind.PADDING] == max(max_length, sight.length)


def test_a_character_of_several_tokens_belongs_to_the_last_of_them():
    sight = seen(ROWS[0] | {"prompt": "\N{SNOWMAN}"})
    parts = [piece for piece in sight.pieces if piece.is_part]
    assert [piece.text for piece in parts] == ["", "", "\N{SNOWMAN}"]
    assert [piece.bytes.hex() for piece in parts] == ["e2", "98", "83"]


def test_control_tokens_show_by_name_and_those_that_somebody_typed_are_text():
    sight = seen(ROWS[0] | {"prompt": "<end_of_turn>"})
    controls = [piece.text for piece in sight.pieces if piece.is_control]
    assert controls == ["<bos>", "<start_of_turn>", "<end_of_turn>", "<start_of_turn>", "<end_of_turn>"]


def test_the_first_pieces_of_a_monstrous_row_come_in_a_moment_and_its_figures_are_whole():
    steps = [{"i": i, "type": "compute", "content": "a1 " * 6000} for i in range(20)]
    row = ROWS[0] | {"prompt": "\N{SNOWMAN}" * 50_000, "steps": steps}
    began = time.monotonic()
    sight = seen(row, max_length=512, most=4000)
    assert time.monotonic() - began < 10
    assert (len(sight.pieces), len(sight.prompt)) == (4000, 4000)
    assert sight.prompt_length > 150_000
    assert sight.counts[Kind.CUT] == sight.token_count - 513
    assert sight.same_tokens
    assert sight.same_bytes


def test_an_unknown_recipe_is_refused():
    with pytest.raises(Invalid, match="is no recipe"):
        seen(ROWS[0], "chatty")
