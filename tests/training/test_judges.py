"""Judges: what counts as the answer, as right, and as well formed, also when the output is hostile."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import Invalid
from training.golden import golden_traces
from training.judges import (
    JUDGES,
    clean_output,
    judge_changes,
    judge_output,
    judge_versions,
    number,
    parse_output,
    same_answer,
    shown_steps,
)
from training.problems import generate_traces
from training.renderers import ANSWER_ONLY, REASONING_TAGS, RECIPES, TRACE_SFT, plain_response

WORKED = "Reasoning:\n1. 27 × 20 = 540\n2. 540 - 27 = 513\nAnswer: 513"
TAGGED = "<reasoning>27 × 20 = 540\n540 - 27 = 513</reasoning><answer>513</answer>"
# What people ordinarily write: no line break, nothing that reads like a part of the form.
ORDINARY = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="<>"), min_size=1).filter(
    lambda text: text.strip() and not text.strip().startswith("Answer:")
)


def judged(output: str, expected: str = "513", recipe: str = TRACE_SFT) -> dict:
    return judge_output({"expected_answer": expected}, output, recipe)


def format_reason(output: str, recipe: str = TRACE_SFT, expected: str = "513") -> str:
    verdict = judged(output, expected, recipe)["judges"]["format_valid"]
    return "" if verdict["score"] == 1 else verdict["reason"]


def test_a_right_answer_names_each_judge_with_version_score_and_reason():
    verdict = judged(WORKED)
    assert verdict["answer"] == "513"
    assert verdict["correct"] is True
    assert set(verdict["judges"]) == {"answer_correctness", "format_valid", "step_arithmetic", "step_count"}
    for name, judgement in verdict["judges"].items():
        assert judgement["version"] == JUDGES[name].version
        assert judgement["score"] == 1.0
        assert judgement["reason"]


def test_an_output_is_taken_apart_into_steps_and_answer():
    assert parse_output(WORKED, TRACE_SFT) == (["27 × 20 = 540", "540 - 27 = 513"], "513")
    assert parse_output("Answer: 513", ANSWER_ONLY) == ([], "513")
    assert parse_output(TAGGED, REASONING_TAGS) == (["27 × 20 = 540", "540 - 27 = 513"], "513")


@pytest.mark.parametrize(
    ("output", "steps", "answer"),
    [
        (f" {TAGGED}\n", ["27 × 20 = 540", "540 - 27 = 513"], "513"),
        ("<reasoning>\n a\n\nb \n</reasoning>\n<answer>\n5\n</answer>", ["a", "b"], "5"),
        ("<reasoning>a</reasoning>5", ["a"], None),
        ("<reasoning>a\nb", ["a", "b"], None),
        ("<reasoning>a\n<answer>5</answer>", ["a"], "5"),
        ("<reasoning>a</reasoning><answer>5", ["a"], None),
        ("<reasoning>a</reasoning><answer> </answer>", ["a"], None),
        ("<answer>5</answer><answer>6</answer>", [], "6"),
        ("<answer>5</answer><answer>6", [], "5"),
        ("<answer>5\nor 6</answer>", [], "5\nor 6"),
        ("</answer>5<answer>", [], None),
        ("Answer: 5", [], None),
        ("", [], None),
    ],
)
def test_tags_are_taken_apart_and_what_is_not_closed_is_no_answer(output, steps, answer):
    assert parse_output(output, REASONING_TAGS) == (steps, answer)


def test_steps_are_counted_whatever_the_recipe():
    assert len(shown_steps(WORKED)) == len(shown_steps(TAGGED)) == 2
    assert shown_steps("<reasoning>only begun") == ["only begun"]
    assert shown_steps("Answer: 513") == []


def test_a_line_without_a_number_continues_its_step():
    assert parse_output("Reasoning:\n1. first\nmore\n2. second\nAnswer: x", TRACE_SFT).steps == [
        "first\nmore",
        "second",
    ]


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("Answer: 4\nAnswer: 5", "5"),
        ("  Answer:5  \n", "5"),
        ("Answer:\n5", "5"),
        ("Answer: Answer: Correct", "Answer: Correct"),
        ("Answer: 5\r\n", "5"),
        ("Answer: 5\nQuestion: what else?", "5"),
        ("the Answer: 5", None),
        ("answer 5", None),
        ("Answer:   ", None),
        ("Reasoning:\n1. 27 × 20", None),
        ("", None),
    ],
)
def test_the_answer_is_what_follows_the_last_answer_line(output, answer):
    assert judged(output, expected="5")["answer"] == answer


def test_an_answer_of_several_lines_is_compared_whole():
    assert judged("Answer: a\nb", expected="a\nb")["correct"]
    assert not judged("Answer: a\nc", expected="a\nb")["correct"]


def test_talk_within_the_tags_of_an_answer_is_part_of_it():
    assert not judged("<answer>513\nor so</answer>", recipe=REASONING_TAGS)["correct"]
    assert judged("<answer>a\nb</answer>", "a\nb", REASONING_TAGS)["correct"]


@pytest.mark.parametrize("end", range(1, len(TAGGED) + 1))
def test_an_output_in_tags_that_is_cut_anywhere_scores_nothing(end):
    verdict = judged(TAGGED[:-end], recipe=REASONING_TAGS)
    assert verdict["answer"] is None
    assert [verdict["judges"][name]["score"] for name in ("answer_correctness", "format_valid")] == [0.0, 0.0]
    reason = verdict["judges"]["answer_correctness"]["reason"]
    assert reason == "the output ends without an answer between `<answer>` and `</answer>`"


def test_an_output_cut_before_its_answer_is_wrong_and_says_so():
    verdict = judged("Reasoning:\n1. 27 × 20 = 540\n2. 540 -")
    assert verdict["answer"] is None
    assert verdict["correct"] is False
    assert "without an answer" in verdict["judges"]["answer_correctness"]["reason"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("513", "513"),
        ("1,234,567", "1234567"),
        ("$12.50", "12.5"),
        ("-$5", "$-5"),
        ("−5", "-5"),
        ("50 %", "50%"),
        ("2/4", "0.5"),
        ("1/3", "2/6"),
        ("+7.", "7"),
        (".5", "0.5"),
        ("007", "7"),
        ("-0", "0"),
        ("2e3", "2000"),
        ("**42**", "42"),
        ("５１３", "513"),
        ("0.1000000000000000000000000000000000000001", "0.10000000000000000000000000000000000000010"),
        ("Paris.", "paris"),
        ("“Paris”", "Paris"),
        ("New   York", "new york"),
        ("STRASSE", "straße"),
        ("caf\u00e9", "cafe\u0301"),
        ("(b)", "b"),
        ("Yes!", "Yes"),
        ("!", "!"),
    ],
)
def test_answers_that_differ_only_in_dress_are_the_same(answer, expected):
    assert same_answer(answer, expected)
    assert same_answer(expected, answer)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("513", "51"),
        ("5", "-5"),
        (".5", "5"),
        ("1,23", "123"),
        ("12,34", "1234"),
        ("5!", "5"),
        ("10²", "102"),
        ("1½", "11/2"),
        ("1/0", "0"),
        ("1/3", "0.3333333333333333"),
        ("0.1000000000000000000000000000000000000001", "0.1"),
        ("513 or 514", "513"),
        ("Paris or London", "Paris"),
        ("!", "?"),
        ("[0, 1]", "(0, 1)"),
        ("", "0"),
        ("NaN", "0"),
        ("inf", "0"),
        ("1_000", "1000"),
    ],
)
def test_answers_that_differ_in_substance_are_not(answer, expected):
    assert not same_answer(answer, expected)
    assert not same_answer(expected, answer)


@pytest.mark.parametrize("text", ["1e999999999", "9" * 10_000_000, "1e-99999", "1/" + "9" * 10_000, "1," * 5_000_000])
def test_a_monstrous_number_is_no_number_and_takes_no_time(text):
    start = time.monotonic()
    assert number(text) is None
    assert not judged(f"Answer: {text}")["correct"]
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("1. a\nAnswer: 513", "does not begin with `Reasoning:`"),
        ("Reasoning:\nAnswer: 513", "no numbered step"),
        ("Reasoning:\nwell\n1. a\nAnswer: 513", "no numbered step after"),
        ("Reasoning:\n2. a\nAnswer: 513", "numbered 2 where 1 belongs"),
        ("Reasoning:\n1. a\n3. b\nAnswer: 513", "numbered 3 where 2 belongs"),
        ("Reasoning:\n1. a\n2. \nAnswer: 513", "nothing in step 2"),
        ("Reasoning:\n1. a", "has 0 lines"),
        ("Reasoning:\n1. a\nAnswer: 1\nAnswer: 513", "has 2 lines"),
        ("Reasoning:\n1. a\nAnswer:", "nothing after `Answer:`"),
        ("Reasoning:\n1. a\nAnswer: 513\nThat is all.", "goes on after the answer"),
    ],
)
def test_a_broken_form_is_named(output, reason):
    assert reason in format_reason(output)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (f"Well. {TAGGED}", "does not begin with <reasoning>"),
        ("<reasoning> \n</reasoning><answer>513</answer>", "nothing between the tags of the reasoning"),
        ("<reasoning>a</reasoning>so<answer>513</answer>", "has text between </reasoning> and <answer>"),
        ("<reasoning>a</reasoning><answer></answer>", "nothing between the tags of the answer"),
        (f"{TAGGED} That is all.", "goes on after the answer"),
        ("<answer>513</answer><reasoning>a</reasoning>", "its tags in another order"),
        ("</reasoning>a<reasoning><answer>513</answer>", "its tags in another order"),
        (f"{TAGGED}<answer>514</answer>", "has <answer> 2 times"),
        ("<reasoning>a<answer>513</answer>", "has </reasoning> 0 times"),
        ("Answer: 513", "has <reasoning> 0 times"),
    ],
)
def test_broken_tags_are_named(output, reason):
    assert reason in format_reason(output, REASONING_TAGS)


def test_the_form_is_that_of_the_runs_own_recipe():
    assert format_reason("Answer: 513", ANSWER_ONLY) == ""
    assert format_reason(TAGGED, REASONING_TAGS) == ""
    assert "Reasoning" in format_reason("Answer: 513", TRACE_SFT)
    assert "before the answer" in format_reason(WORKED, ANSWER_ONLY)


def test_a_step_may_hold_decimals_and_further_lines():
    assert format_reason("Reasoning:\n1. pi is\n3.14 or so\n2. done\nAnswer: 513") == ""


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_the_renderer_teaches_is_right_and_well_formed(recipe):
    traces = [*golden_traces("golden-v1"), *golden_traces("golden-v2"), *generate_traces("chain", count=20, seed=1)]
    for trace in traces:
        verdict = judged(plain_response(trace, recipe), trace["final_answer"], recipe)
        assert verdict["correct"], trace
        assert verdict["judges"]["format_valid"]["score"] == 1, verdict


@pytest.mark.parametrize("recipe", RECIPES)
@given(st.lists(ORDINARY, min_size=1, max_size=5), ORDINARY)
def test_what_any_recipe_makes_of_an_ordinary_row_is_right_and_well_formed(recipe, contents, answer):
    steps = [{"i": i, "type": "compute", "content": content} for i, content in enumerate(contents)]
    row = {"prompt": "…", "steps": steps, "final_answer": answer}
    verdict = judged(plain_response(row, recipe), answer, recipe)
    assert verdict["correct"]
    assert [verdict["judges"][name]["score"] for name in ("answer_correctness", "format_valid")] == [1.0, 1.0]
    wanted = [] if recipe == ANSWER_ONLY else [content.strip() for content in contents]
    assert parse_output(plain_response(row, recipe), recipe).steps == wanted


def test_an_unknown_judge_or_recipe_is_refused_by_name():
    with pytest.raises(Invalid, match="vibes"):
        judge_output({"expected_answer": "1"}, "Answer: 1", TRACE_SFT, ["vibes"])
    with pytest.raises(Invalid, match="poetry"):
        parse_output("Answer: 1", "poetry")


def test_only_the_judges_asked_for_are_heard():
    verdict = judge_output({"expected_answer": "1"}, "Answer: 1", TRACE_SFT, ["format_valid"])
    assert list(verdict["judges"]) == ["format_valid"]
    assert verdict["correct"] is True


@pytest.mark.parametrize(
    ("text", "clean"),
    [("fine\n\x1b[31m</script>", "fine\n\x1b[31m</script>"), ("a\0b", "a\ufffdb"), ("\ud800x\udfff", "\ufffdx\ufffd")],
)
def test_what_cannot_be_stored_is_replaced_and_flagged(text, clean):
    assert clean_output(text) == (clean, clean != text)


def test_a_long_output_is_cut_at_a_whole_character():
    clean, flagged = clean_output("é" * 50_000_000)
    assert flagged
    assert len(clean.encode()) == 64 * 1024
    assert set(clean) == {"é"}
    assert clean_output(clean) == (clean, False)
    assert len(clean_output("\0" * 70_000)[0].encode()) <= 64 * 1024


@pytest.mark.parametrize(
    "unit",
    [
        "\0",
        "\ud800",
        " ",
        "\n",
        "1. ",
        "Answer:",
        "Answer:\n",
        "<reasoning>",
        "<answer></answer>",
        "((",
        "\x1b[",
        "1.\n",
    ],
)
@pytest.mark.parametrize("recipe", RECIPES)
def test_hostile_output_is_judged_in_time_and_cleanly(unit, recipe):
    start = time.monotonic()
    verdict = judged(unit * (5_000_000 // len(unit)) + "x", recipe=recipe)
    assert time.monotonic() - start < 2
    assert verdict["correct"] is False
    str(verdict).encode()


def judged_steps(output: str, steps: int | None = None, recipe: str = TRACE_SFT) -> dict:
    item = {"expected_answer": "513"} | ({} if steps is None else {"steps": [{"content": "x"}] * steps})
    return judge_output(item, output, recipe, ["step_arithmetic", "step_count"])["judges"]


def test_sums_in_the_steps_are_checked_and_the_first_wrong_one_is_named():
    assert judged_steps(WORKED)["step_arithmetic"]["score"] == 1
    wrong = judged_steps("Reasoning:\n1. 27 × 20 = 540\n2. 540 - 27 = 531\nAnswer: 531")["step_arithmetic"]
    assert wrong["score"] == 0.5
    assert wrong["reason"] == "1 of 2 equations hold; step 2: 540 - 27 is 513, not 531"
    assert judged_steps(TAGGED, recipe=REASONING_TAGS)["step_arithmetic"]["score"] == 1


@pytest.mark.parametrize("output", ["", "Answer: 2 + 2 = 5", "Reasoning:\n1. I guess\nAnswer: 513"])
def test_steps_without_a_sum_are_not_judged_by_their_sums(output):
    assert "step_arithmetic" not in judged_steps(output)


@pytest.mark.parametrize(
    ("output", "reference", "score"),
    [(WORKED, 2, 1.0), (WORKED, 4, 0.5), (WORKED, 1, 0.5), ("Answer: 513", 2, 0.0), (WORKED, 0, 1.0), ("", 0, 0.0)],
)
def test_steps_are_counted_against_the_reference(output, reference, score):
    assert judged_steps(output, reference)["step_count"]["score"] == score


def test_without_a_reference_one_step_is_enough():
    assert judged_steps(WORKED)["step_count"]["score"] == 1
    assert judged_steps("Answer: 513")["step_count"]["score"] == 0


def test_judges_that_changed_are_told_in_words():
    today = judge_versions()
    assert judge_changes(today) == []
    assert judge_changes(today | {"format_valid": "0"}) == [f"format_valid 0 → {today['format_valid']}"]
    assert judge_changes({**today, "vibes": "3"}) == ["vibes 3 → none"]
    assert len(judge_changes({})) == len(today)
