"""What the validator says of an evalset that breaks no rule."""

import json
import time

import pytest

from training.evalset_checks import doubts_of, label_counts
from training.evalsets import item_from_row
from training.problems import generate_traces
from training.validate_evalset import MOST_WARNINGS, main

LONG = (
    "What is the capital city of the country in Europe that people all over the world call France today? "
    "Answer with its name alone, in the language of the people who live there, and with nothing else at all."
)


def make_item(number: int = 1, **changes) -> dict:
    item = {"id": f"q{number}", "prompt": f"What is {number} + 1?", "expected_answer": str(number + 1)}
    return item | {"category": "sum", "difficulty": "easy"} | changes


def kinds(*items: dict) -> list[tuple[str, str]]:
    return [(doubt.id, doubt.kind) for doubt in doubts_of(items)]


def test_labels_are_counted_and_a_missing_section_is_none():
    counts = label_counts([make_item(1), make_item(2, difficulty="hard", section="core"), make_item(3)])
    assert counts == {"section": {"core": 1}, "category": {"sum": 3}, "difficulty": {"easy": 2, "hard": 1}}


def test_different_questions_with_answers_that_judges_reach_raise_no_doubt():
    answers = ("12", "-7", "3/4", "35 %", "$1,200.50", "Ottawa", "the Pacific Ocean", "11:50")
    assert kinds(*(make_item(n, expected_answer=answer) for n, answer in enumerate(answers))) == []


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("What is 2 + 2?", "what is  2 + 2", "same_question"),
        (LONG, LONG.replace("world", "globe"), "near_duplicate"),
        ("Café?", "Cafe\u0301?", "same_question"),
    ],
)
def test_an_item_that_asks_what_another_asks_is_named_with_it(first, second, kind):
    doubts = list(doubts_of([make_item(1, prompt=first), make_item(2, prompt=second, expected_answer="2")]))
    assert [(doubt.id, doubt.kind) for doubt in doubts] == [("q2", kind)]
    assert "q1" in doubts[0].why


def test_the_same_question_with_another_answer_is_told_so():
    (doubt,) = doubts_of([make_item(1, prompt="X?"), make_item(2, prompt="x", expected_answer="other")])
    assert str(doubt) == "'q2' asks the same as 'q1' and expects another answer"


def test_generated_items_are_twins_by_their_problem_not_by_their_words():
    rows = [{"id": str(n), **trace} for n, trace in enumerate(generate_traces("chain", count=50, seed=1))]
    items = [item_from_row(row) for row in rows]
    assert kinds(*items) == []
    start = items[0]["prompt"][9]
    other = items[0]["prompt"].replace(f"Start at {start}", f"Start at {(int(start) + 1) % 10}")
    assert kinds(items[0], items[0] | {"id": "x", "prompt": other}) == [("x", "near_duplicate")]


def test_prose_and_what_no_answer_can_be_are_doubted():
    prose = "because the air scatters blue light more than it scatters red light"
    assert kinds(make_item(1, expected_answer=prose)) == [("q1", "prose")]
    assert kinds(make_item(1, expected_answer="x\nAnswer: y")) == [("q1", "unreachable")]


def test_many_items_cost_little():
    items = [make_item(n, prompt=f"{LONG} Number {n} of many.") for n in range(3000)]
    began = time.process_time()
    assert len(list(doubts_of(items))) > 2900
    assert time.process_time() - began < 20


def test_the_command_counts_warns_and_still_says_valid(tmp_path, capsys):
    path = tmp_path / "e.jsonl"
    items = [make_item(n, prompt="Same?", section="core") for n in range(MOST_WARNINGS + 3)]
    path.write_text("".join(f"{json.dumps(item)}\n" for item in items))
    assert main([str(path)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1:4] == ["  section: 'core' 53", "  category: 'sum' 53", "  difficulty: 'easy' 53"]
    assert out[4] == "  warning: 'q1' asks the same as 'q0' and expects another answer"
    assert out[-1] == "  warning: and 2 more"


def test_a_label_cannot_write_lines_of_its_own(tmp_path, capsys):
    path = tmp_path / "e.jsonl"
    hostile = "a\n\x1b[31mforged: valid"
    items = [make_item(1, id=hostile, category=hostile), make_item(2, prompt="What is 1 + 1")]
    path.write_text("".join(f"{json.dumps(item)}\n" for item in items))
    main([str(path)])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 4
