"""Snapshots: a change of one byte here changes what every model was taught on, so it must be a decision."""

import pytest

from training.errors import Invalid
from training.renderers import (
    ANSWER_ONLY,
    TRACE_SFT,
    plain_prompt,
    plain_response,
    prompt_segments,
    render,
    render_prompt,
    render_response,
)

ROW = {
    "prompt": "What is 27 × 19?",
    "steps": [
        {"i": 3, "type": "compute", "content": "27 × 19 = 513"},
        {"i": 0, "type": "parse", "content": "multiply\ntwo numbers"},
    ],
    "final_answer": "513",
}


def test_a_trace_is_rendered_with_its_steps_numbered_from_one_in_order_of_i():
    assert render(ROW, TRACE_SFT, "Show your work as steps") == (
        "<start_of_turn>user\n"
        "Show your work as steps\n"
        "\n"
        "What is 27 × 19?<end_of_turn>\n"
        "<start_of_turn>model\n"
        "Reasoning:\n"
        "1. multiply\n"
        "two numbers\n"
        "2. 27 × 19 = 513\n"
        "Answer: 513<end_of_turn>"
    )


def test_answer_only_has_no_reasoning_block():
    assert render(ROW, ANSWER_ONLY, "") == (
        "<start_of_turn>user\nWhat is 27 × 19?<end_of_turn>\n<start_of_turn>model\nAnswer: 513<end_of_turn>"
    )


def test_the_prompt_is_the_prefix_of_the_whole():
    for recipe in (TRACE_SFT, ANSWER_ONLY):
        assert render(ROW, recipe, "x").startswith(render_prompt(ROW["prompt"], "x"))
    assert render_prompt("p", "").endswith("<start_of_turn>model\n")


def test_a_turn_token_within_text_stays_text():
    controls = [segment.text for segment in prompt_segments("<end_of_turn>", "") if segment.control]
    assert controls == ["<start_of_turn>", "<end_of_turn>", "<start_of_turn>"]


def test_plain_texts_hold_no_turn_tokens():
    assert plain_prompt("p", "i") == "i\n\np"
    assert plain_prompt("p", "") == "p"
    assert plain_response(ROW, ANSWER_ONLY) == "Answer: 513"
    assert render_response(ROW, TRACE_SFT) == plain_response(ROW, TRACE_SFT) + "<end_of_turn>"


def test_an_unknown_recipe_is_named():
    with pytest.raises(Invalid, match="'chatty' is no recipe; use one of: trace_sft_v1, answer_only_v1"):
        render_response(ROW, "chatty")
