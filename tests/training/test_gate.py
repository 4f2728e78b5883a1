"""When a run is surely worse than another: as a whole, in a part, and by more than what is allowed."""

import pytest

from training.decision import decide
from training.errors import Invalid
from training.gate import Gate, pass_gate, read_margin
from training.statistics import mcnemar_exact_p, paired_difference_interval


def examination(*judged: bool | None, category=lambda i: "all") -> tuple[list[dict], list[dict]]:
    """Rows judged so, and the items that they answer."""
    items = [
        {"id": f"{i:04}", "prompt": f"question {i}", "expected_answer": "1", "category": category(i), "difficulty": "d"}
        for i in range(len(judged))
    ]
    return [{**item, "correct": correct} for item, correct in zip(items, judged, strict=True)], items


def gate(base: list[bool | None], other: list[bool | None], margin: float = 0.0, **asked) -> Gate:
    rows, items = examination(*base, **asked)
    others, _ = examination(*other, **asked)
    return pass_gate(decide(rows, others, items), margin=margin)


def changed(won: int, lost: int, n: int) -> tuple[list[bool], list[bool]]:
    base = [False] * won + [True] * (n - won)
    other = [True] * won + [False] * lost + [True] * (n - won - lost)
    return base, other


def test_the_same_answers_pass():
    found = gate(*changed(0, 0, 30))
    assert found.passed
    assert found.reason.startswith("Not surely worse: 0 won and 0 lost of 30 (+0.0 points")
    assert "p = 1.0000" in found.reason


def test_a_loss_passes_until_it_is_sure():
    assert gate(*changed(0, 5, 60)).passed  # p = 0.0625
    found = gate(*changed(0, 6, 60))  # p = 0.03125
    assert not found.passed
    assert found.reason == "Surely worse: 0 won and 6 lost of 60 (-10.0 points, -18.3 to -1.1), p = 0.0312."


def test_a_sure_gain_passes():
    assert gate(*changed(20, 1, 60)).passed


def test_so_many_points_can_be_let_pass():
    base, other = changed(0, 6, 60)
    assert not gate(base, other, margin=1.0).passed
    found = gate(base, other, margin=2.0)
    assert found.passed
    assert found.reason.endswith("p = 0.0312, where 2 points are allowed.")


@pytest.mark.parametrize("n", [6, 7, 10, 30, 101])
def test_without_a_margin_the_exact_test_alone_decides(n):
    """Whatever is sure by McNemar's test has its whole interval on one side: a margin only ever opens the gate."""
    for lost in range(n + 1):
        for won in range(min(lost, n - lost + 1)):
            if mcnemar_exact_p(won, lost) < 0.05:
                assert paired_difference_interval(won, lost, n)[1] < 0


def test_a_part_that_is_surely_worse_stops_what_is_better_as_a_whole():
    base = [True] * 20 + [False] * 40
    other = [False] * 20 + [True] * 40
    found = gate(base, other, category=lambda i: "sums" if i < 20 else "words")
    assert not found.passed
    assert [(part.dimension, part.label) for part in found.worse] == [("category", "sums")]
    assert found.reason.startswith("Surely worse on category 'sums' (0 won and 20 lost of 20 (-100.0 points")
    assert "as a whole 40 won and 20 lost of 60" in found.reason


def test_a_part_counts_among_all_parts():
    """Six of six lost have p = 0.031: where one part lost so much that is sure, where two did it is not."""
    base = [True] * 12 + [False] * 48
    one, two = ([False] * lost + [True] * 48 for lost in (6, 12))
    parts = {"category": lambda i: "first" if i < 6 else "second" if i < 12 else "rest"}
    assert [part.label for part in gate(base, [*one[:6], *[True] * 6, *one[6:]], **parts).worse] == ["first"]
    assert gate(base, two, **parts).passed


def test_a_margin_counts_in_the_parts_too():
    base = [True] * 20 + [False] * 40
    other = [False] * 20 + [True] * 40
    parts = {"category": lambda i: "sums" if i < 20 else "words"}
    assert not gate(base, other, margin=50, **parts).passed
    assert gate(base, other, margin=100, **parts).passed


def test_what_was_asked_of_one_only_keeps_the_gate_shut():
    found = gate([True] * 30, [True] * 29 + [None])
    assert not found.passed
    assert found.reason.startswith("Asked otherwise: 1 of the items could be asked in only one of the two")


def test_nothing_judged_keeps_the_gate_shut():
    found = gate([None] * 3, [None] * 3)
    assert not found.passed
    assert found.reason == "No item was judged in both, so nothing is known."


def test_a_label_is_told_on_one_line_whatever_it_holds():
    hostile = "a\n\x1b[31m" + "x" * 500
    base, other = [True] * 20 + [False] * 40, [False] * 20 + [True] * 40
    found = gate(base, other, category=lambda i: hostile if i < 20 else "words")
    assert "\n" not in found.reason
    assert "\x1b" not in found.reason
    assert len(found.reason) < 500


def test_what_it_says_is_json():
    said = gate(*changed(1, 8, 60)).to_dict()
    assert said["passed"] is False
    assert (said["n"], said["won"], said["lost"], said["worse"]) == (60, 1, 8, [])
    assert said["interval"] == list(paired_difference_interval(1, 8, 60))


@pytest.mark.parametrize(("text", "points"), [("0", 0), ("2", 2), ("0.5", 0.5), ("100", 100), ("100.0", 100)])
def test_a_margin_is_read(text, points):
    assert read_margin(text) == points


@pytest.mark.parametrize("text", ["", "-1", "101", "100.1", "nan", "inf", "1e1", "٣", "1 ", "0x1", "1" * 50, "1,5"])
def test_what_is_no_margin_is_refused(text):
    with pytest.raises(Invalid, match="from 0 to 100"):
        read_margin(text)
