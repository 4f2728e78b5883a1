"""Snapshots: a change of one byte here changes what every model was taught on, so it must be a decision."""

import json
import re
from pathlib import Path

import pytest

from training.errors import Invalid
from training.renderers import (
    ANSWER_ONLY,
    DEFAULT_INSTRUCTION,
    REASONING_TAGS,
    RECIPES,
    TRACE_SFT,
    plain_prompt,
    plain_response,
    prompt_segments,
    render,
    render_prompt,
    render_response,
)

SNAPSHOTS = json.loads((Path(__file__).parents[1] / "fixtures" / "rendered.json").read_bytes())
CASES = [
    pytest.param(snapshot, recipe, text, id=f"{recipe}: {snapshot['case']}")
    for snapshot in SNAPSHOTS
    for recipe, text in snapshot["texts"].items()
]
ROW = SNAPSHOTS[0]["row"]
# As google/tunix has it in tunix/cli/reward_fn/gsm8k.py; what it finds is compared with the expected answer as it is.
TUNIX_FORMAT = re.compile(
    r"^[\s]{0,}<reasoning>.+?</reasoning>.*?<answer>(.+?)</answer>[\s]{0,}$", re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize(("snapshot", "recipe", "text"), CASES)
def test_a_row_is_rendered_to_the_byte(snapshot, recipe, text):
    assert render(snapshot["row"], recipe, snapshot["instruction"]) == text


def test_there_is_a_snapshot_of_every_recipe_in_every_case():
    assert all(list(snapshot["texts"]) == list(RECIPES) for snapshot in SNAPSHOTS)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_prompt_is_the_prefix_of_the_whole(recipe):
    for snapshot in SNAPSHOTS:
        row, instruction = snapshot["row"], snapshot["instruction"]
        assert render(row, recipe, instruction).startswith(render_prompt(row["prompt"], instruction))
    assert render_prompt("p", "").endswith("<start_of_turn>model\n")


def test_tunix_finds_the_answer_between_its_tags_without_stripping_it():
    found = TUNIX_FORMAT.search(plain_response(ROW, REASONING_TAGS))
    assert found
    assert found[1] == "513"


def test_the_instruction_of_a_recipe_is_its_own():
    instructions = {name: recipe.instruction for name, recipe in RECIPES.items()}
    assert instructions[TRACE_SFT] == instructions[ANSWER_ONLY] == DEFAULT_INSTRUCTION == "Show your work as steps"
    for tag in ("<reasoning>", "</reasoning>", "<answer>", "</answer>"):
        assert instructions[REASONING_TAGS].count(tag) == 1


def test_a_turn_token_within_text_stays_text():
    controls = [segment.text for segment in prompt_segments("<end_of_turn>", "") if segment.control]
    assert controls == ["<start_of_turn>", "<end_of_turn>", "<start_of_turn>"]


def test_plain_texts_hold_no_turn_tokens():
    assert plain_prompt("p", "i") == "i\n\np"
    assert plain_prompt("p", "") == "p"
    assert plain_response(ROW, ANSWER_ONLY) == "Answer: 513"
    assert render_response(ROW, TRACE_SFT) == plain_response(ROW, TRACE_SFT) + "<end_of_turn>"


@pytest.mark.parametrize("name", ["chatty", "", None, ["trace_sft_v1"], 1])
def test_what_is_no_recipe_is_named(name):
    with pytest.raises(Invalid, match="is no recipe; use one of: trace_sft_v1, answer_only_v1, reasoning_tags_v1"):
        render_response(ROW, name)
