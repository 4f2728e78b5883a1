"""The judge of answers, measured on answers that were labelled by hand before it was written."""

import json
import re
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.judges import judge_output
from training.judges.answers import compare_answers
from training.renderers import ANSWER_ONLY, RECIPES

FIXTURES = Path(__file__).parent.parent / "fixtures"
MISSES: dict[str, set[str]] = {  # docs/judges.md says why
    "judged_answers": {"latex-25"},
    "judged_answers_later": {"later-10"},
    "judged_answers_third": set(),
}


def read(name: str) -> list[dict]:
    return [json.loads(line) for line in (FIXTURES / f"{name}.jsonl").read_text().splitlines()]


ROWS = [row for name in MISSES for row in read(name)]


def is_right(row: dict) -> bool:
    return judge_output(row, row["output"], row["recipe"], ["answer_correctness"])["correct"]


@pytest.mark.parametrize("name", MISSES)
def test_at_least_99_of_100_labelled_answers_are_judged_as_labelled_and_the_misses_are_those_listed(name):
    rows = read(name)
    misses = {row["id"] for row in rows if is_right(row) != (row["label"] == "right")}
    assert misses == MISSES[name]
    assert len(misses) <= 0.01 * len(rows)


def test_the_labels_are_many_mislead_often_and_come_in_every_recipe():
    rows = read("judged_answers")
    assert len(rows) >= 300
    assert 3 * sum(row["adversarial"] for row in rows) >= len(rows)
    assert Counter(row["recipe"] for row in rows).keys() == RECIPES.keys()


@pytest.mark.parametrize("row", [row for row in ROWS if row["label"] == "right"], ids=lambda row: row["id"])
def test_the_expected_answer_itself_is_right(row):
    assert compare_answers(row["expected_answer"], row["expected_answer"], row.get("prompt") or "").score == 1


NUMBERS = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.decimals(-(10**6), 10**6, places=3).map(str),
    st.fractions(max_denominator=1000).map(str),
)


def grouped(text: str, sign: str) -> str:
    """The whole number in a text with a sign between its thousands."""
    if "/" in text:
        return text
    whole, point, rest = text.lstrip("-").partition(".")
    return "-" * text.startswith("-") + f"{int(whole):,}".replace(",", sign) + point + rest


# How the same number is written, and what may stand around it.
NUMERALS = [
    str,
    lambda text: text.replace("-", "−"),
    lambda text: text.replace("/", " / "),
    lambda text: grouped(text, ","),
    lambda text: grouped(text, " "),
    lambda text: grouped(text, "\u202f"),
    lambda text: grouped(text, "{,}"),
    lambda text: "".join(chr(ord(char) + 0xFEE0) if char.isdigit() else char for char in text),
    lambda text: f"{text}0" if "." in text else text if "/" in text else f"{text}.0",
    lambda text: re.sub("([0-9]+)/([0-9]+)", r"\\frac{\1}{\2}", text),
    lambda text: text if "/" in text else f"{text}e0",
    lambda text: text if "/" in text else f"{text} × 10^0",
    lambda text: text if "/" in text else f"{text} \\cdot 10^{{0}}",
]
FRAMES = [
    "{}",
    " {} ",
    "{}.",
    "**{}**",
    "`{}`",
    "“{}”",
    "$" + "{}" + "$",
    "\\boxed{{{}}}",
    "$\\boxed{{{}}}$",
    "\\({}\\)",
    "The answer is {}.",
    "It is {} km.",
    "x = {}",
    "= {}",
    "({})",
]


@given(NUMBERS, NUMBERS, st.sampled_from(NUMERALS), st.sampled_from(FRAMES))
def test_the_dress_of_a_number_never_changes_its_verdict(number, other, numeral, frame):
    assert compare_answers(frame.format(numeral(number)), number).score == 1
    assert compare_answers(frame.format(numeral(other)), number).score == compare_answers(other, number).score
    assert compare_answers(other, number).score == (Fraction(other) == Fraction(number))
    assert compare_answers(number, numeral(number)).score == 1


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_any_texts_get_a_score_and_a_reason(answer, expected, question):
    judgement = compare_answers(answer, expected, question)
    assert judgement.score in (0, 1)
    assert judgement.reason


HOSTILE = [
    "{" * 65_536,
    "\\frac{" * 10_000,
    "\\boxed{" * 9_000,
    "\\frac{1}{" * 60 + "2" + "}" * 60,
    "(" * 390 + "1" + ")" * 9,
    "9**9**9",
    "9^{9^{9^9}}",
    "1e999999999",
    "1.2 × 10^999999999",
    "9" * 399 + "/" + "7" * 10,
    "1,000" * 79,
    "1 " * 199,
    "{1, {2, {3, {4, {5, {6, 7}}}}}}",
    ",".join("[" for _ in range(190)),
    " and " * 70,
    "$" * 400,
    "-" * 400,
    "a " * 199 + "!",
    "½" * 390,
    "²" * 390,
    "\u202e513",
    "\ufdfa" * 300,  # one sign that NFKC makes eighteen
    "%" * 400,
    "\\text{" * 60 + "}" * 60,
    "^{" * 130 + "}" * 130,
]


@pytest.mark.parametrize("expected", ["513", "1/2", "50%", "5 km", "{1, 2}", "[1, 2]", "yes", "Paris", "1, 2, 3"])
@pytest.mark.parametrize("answer", HOSTILE, ids=lambda text: text[:12].encode("ascii", "replace").decode())
def test_hostile_answers_are_wrong_at_once(answer, expected):
    start = time.process_time()
    assert judge_output({"expected_answer": expected}, f"Answer: {answer}", ANSWER_ONLY)["correct"] is False
    assert time.process_time() - start < 3  # some hundredths of a second; without the bounds, hours


def test_a_number_is_what_is_written_and_not_what_could_be_worked_out():
    for answer in ("27 × 19", "540 - 27", "513 + 0", "√263169", "513!", "1026/2 + 0"):
        assert compare_answers(answer, "513").score == 0
    assert compare_answers("1026/2", "513").score == 1
    assert compare_answers("1026/2", "513", "What is 1026 / 2?").score == 0
    assert "repeats the question" in compare_answers("1026/2", "513", "What is 1026/2?").reason
    assert compare_answers("1026/2", "513", "What is 11026/25?").score == 1  # stands only within other numbers


@pytest.mark.parametrize(
    ("answer", "expected"), [("2023-01-01", "2024-01-02"), ("554-1233", "555-1234"), ("6/4/5", "3/2/5"), ("4:2", "2:1")]
)
def test_dates_and_the_like_are_no_sums(answer, expected):
    assert compare_answers(answer, expected).score == 0
    assert compare_answers(f"{expected}.", expected).score == 1


def test_a_unit_is_named_in_the_reason_when_it_is_another():
    assert compare_answers("5 m", "5 km").reason.endswith("it is in m, not in km")


def test_a_unit_must_be_the_one_that_the_question_asks_for():
    question = "How many kilometres are 5000 m?"
    assert compare_answers("5 km", "5", question).score == 1
    assert compare_answers("5", "5", question).score == 1
    assert compare_answers("5 m", "5", question).reason.endswith("it is in m, and the question asks for km")


def test_a_sentence_may_say_the_answer_in_the_words_of_the_question():
    question = "Which planet of the solar system is the largest?"
    assert compare_answers("The largest planet is Jupiter.", "Jupiter", question).score == 1
    assert compare_answers("The largest planet is not Jupiter.", "Jupiter", question).score == 0
    assert compare_answers("The largest planet is Saturn or Jupiter.", "Jupiter", question).score == 0
    assert compare_answers("The smallest planet is Jupiter.", "Jupiter", question).score == 0
