"""Two lists of steps beside each other."""

import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from training.step_diff import KINDS, MAX_STEPS, StepPair, diff_steps

CHAIN = ["3+4→7", "7×3→1", "1+1→2", "2×9→8", "8+5→3"]
PROSE = [
    "Natalia sold 48 clips in April.",
    "In May she sold half as many: 48 / 2 = 24.",
    "Altogether she sold 48 + 24 = 72 clips.",
]


def kinds(base: list[str], other: list[str]) -> list[str]:
    return [pair.kind for pair in diff_steps(base, other).pairs]


def changed(base: list[str], other: list[str]) -> set[tuple]:
    """The pairs that are not the same, as plain tuples."""
    return {tuple(pair) for pair in diff_steps(base, other).pairs if pair.kind != "same"}


@pytest.mark.parametrize("steps", [CHAIN, PROSE, ["7"], ["", ""], ["→"], ["a"] * 9])
def test_a_list_beside_itself_is_the_same_throughout(steps):
    found = diff_steps(steps, steps)
    assert found.pairs == [StepPair("same", at, at) for at in range(len(steps))]
    assert found.first_difference is None


def test_nothing_beside_nothing_is_nothing_and_beside_something_all_of_it_came_in():
    assert diff_steps([], []).pairs == []
    assert kinds([], CHAIN) == ["inserted"] * 5
    assert kinds(CHAIN, []) == ["dropped"] * 5


def test_neighbours_that_changed_places_have_both_moved():
    other = [CHAIN[0], CHAIN[2], CHAIN[1], *CHAIN[3:]]
    assert changed(CHAIN, other) == {("moved", 1, 2), ("moved", 2, 1)}


@pytest.mark.parametrize(("first", "second"), [(0, 2), (1, 4), (0, 4)])
def test_steps_that_changed_places_have_moved_and_those_between_have_not(first, second):
    other = list(CHAIN)
    other[first], other[second] = other[second], other[first]
    assert changed(CHAIN, other) == {("moved", first, second), ("moved", second, first)}


def test_one_step_taken_to_the_front_is_the_only_one_that_moved():
    assert changed(CHAIN, [CHAIN[4], *CHAIN[:4]]) == {("moved", 4, 0)}


def test_a_step_that_is_left_out_is_dropped_and_one_that_is_added_inserted():
    assert changed(CHAIN, CHAIN[:2] + CHAIN[3:]) == {("dropped", 2, None)}
    assert changed(CHAIN[:2] + CHAIN[3:], CHAIN) == {("inserted", None, 2)}
    assert kinds(CHAIN[:2] + CHAIN[3:], CHAIN) == ["same", "same", "inserted", "same", "same"]


@pytest.mark.parametrize(
    ("step", "became", "kind"),
    [
        ("3+4→7", "3×4→7", "operator_changed"),
        ("3+4→7", "3×4→2", "operator_changed"),
        ("3 + 4 = 7", "3 plus 4 is 7", "reworded"),
        ("3 + 4 = 7", "3 minus 4 is 7", "operator_changed"),
        ("Add 3 and 4 to get 7", "Multiply 3 and 4 to get 7", "operator_changed"),
        ("3+4→7", "We add 3 and 4 to get 7", "reworded"),
        ("Add 3 and 4: 3+4=7", "3+4→7", "reworded"),
        ("3+4→7", "3+4→8", "number_changed"),
        ("9 - 3 = 6", "3 - 9 = 6", "number_changed"),
        ("the sum is -5 now", "the sum is 5 now", "number_changed"),
        ("20% of 50 = 10", "30% of 50 = 10", "number_changed"),
        ("it starts at 9:30 sharp", "it starts at 9:45 sharp", "number_changed"),
        ("She sold 24 clips in May", "In May, 24 clips were sold", "reworded"),
        ("a guess at best", "at best a guess", "reworded"),
    ],
)
def test_a_step_that_became_another_tells_what_of_it_did(step, became, kind):
    around = ["Start at 3.", "So it ends here."]
    other = [around[0], became, around[1]]
    assert kinds([around[0], step, around[1]], other) == ["same", kind, "same"]


@pytest.mark.parametrize(
    ("step", "looks"),
    [
        ("3 * 4 = 12", "3×4=12"),
        ("3 − 4 = -1", "3-4 = −1"),
        ("1,000 + 1 = 1001", "1000  +  1 = 1,001"),
        ("**So** it is 5.0", "so it is 5"),
        ("6 ÷ 2 = 3", "6 / 2 = 3"),
        ("half is 50%", "half is 0.5"),
    ],
)
def test_what_only_looks_different_is_the_same(step, looks):
    assert kinds([step], [looks]) == ["same"]


def test_steps_that_have_nothing_in_common_are_one_dropped_and_one_inserted():
    assert kinds(["3+4→7"], ["no idea"]) == ["dropped", "inserted"]


def test_a_repeated_step_is_told_by_how_often_it_stands_there():
    assert sorted(kinds(["so"] * 3, ["so"] * 2)) == ["dropped", "same", "same"]


def test_after_a_mistake_each_step_stands_beside_the_one_it_became():
    found = diff_steps(CHAIN, ["3+4→7", "7×3→2", "2+1→3", "3×9→7", "7+5→2"])
    assert found.pairs == [StepPair("same", 0, 0), *(StepPair("number_changed", at, at) for at in range(1, 5))]
    assert found.first_difference == 1
    assert found.counts == {"same": 1, "number_changed": 4}


def test_other_words_are_no_difference():
    found = diff_steps(["3+4→7", "7×3→1"], ["Add 3 and 4: 7", "7×3→2"])
    assert [pair.kind for pair in found.pairs] == ["reworded", "number_changed"]
    assert found.first_difference == 1


def test_what_stands_behind_the_limit_is_counted():
    found = diff_steps(["a"] * (MAX_STEPS + 3), ["a"] * 2)
    assert found.left_out == (3, 0)
    assert len(found.pairs) == MAX_STEPS


def test_a_step_that_is_too_long_to_be_read_is_still_told_from_another():
    long = "word " * 20_000
    assert kinds([long + "7"], [long + "7"]) == ["same"]
    assert kinds([long + "7"], [long + "8"]) == ["number_changed"]


@pytest.mark.parametrize(
    "step", [lambda i: f"{i % 10}+{i % 7}→{i % 3}", lambda i: "7+" * 2000, lambda i: "ab"[i % 2], lambda i: "٠" * 999]
)
def test_a_thousand_steps_take_no_longer_than_one_waits(step):
    base, other = ([step(i + shift) for i in range(1000)] for shift in (0, 1))
    began = time.process_time()
    diff_steps(base, other)
    assert time.process_time() - began < 3  # about 0.4 s; without the bounds, minutes


numbers = st.integers(0, 999).map(str)
sums = st.tuples(numbers, st.sampled_from("+-×/"), numbers, numbers).map(lambda sum: "{} {} {} = {}".format(*sum))
texts = sums | st.sampled_from(PROSE) | st.text(max_size=30)
lists = st.lists(texts, max_size=12)


@given(lists)
def test_any_list_beside_itself_is_the_same(steps):
    assert diff_steps(steps, steps).pairs == [StepPair("same", at, at) for at in range(len(steps))]


@given(lists, lists)
def test_the_opposite_question_has_the_same_answer(base, other):
    opposite = {"dropped": "inserted", "inserted": "dropped"}
    seen = {(opposite.get(pair.kind, pair.kind), pair.other, pair.base) for pair in diff_steps(other, base).pairs}
    assert {tuple(pair) for pair in diff_steps(base, other).pairs} == seen


@given(lists, lists)
def test_every_step_of_either_side_is_in_one_pair(base, other):
    pairs = diff_steps(base, other).pairs
    for side, steps in (("base", base), ("other", other)):
        places = [place for pair in pairs if (place := getattr(pair, side)) is not None]
        assert sorted(places) == list(range(len(steps)))
    assert {pair.kind for pair in pairs} <= set(KINDS)


@given(st.lists(sums, min_size=2, max_size=12, unique=True), st.data())
def test_a_planted_edit_is_found_as_what_it_is(steps, data):
    at, other = data.draw(st.integers(0, len(steps) - 1)), list(steps)
    edit = data.draw(st.sampled_from(["drop", "insert", "swap", "operator", "number", "reword"]))
    left, sign, right, _, result = steps[at].split()
    match edit:
        case "drop":
            del other[at]
            expected = {("dropped", at, None)}
        case "insert":
            other.insert(at, data.draw(sums))
            assume(other[at] not in steps)
            expected = {("inserted", None, at)}
        case "swap":
            place = data.draw(st.integers(0, len(steps) - 1).filter(lambda place: place != at))
            other[at], other[place] = other[place], other[at]
            expected = {("moved", at, place), ("moved", place, at)}
        case "operator":
            changed_to = data.draw(st.sampled_from("+-×/".replace(sign, "")))
            other[at] = f"{left} {changed_to} {right} = {result}"
            assume(other[at] not in steps)
            expected = {("operator_changed", at, at)}
        case "number":
            other[at] = f"{left} {sign} {right} = {int(result) + data.draw(st.integers(1, 9))}"
            assume(other[at] not in steps)
            expected = {("number_changed", at, at)}
        case "reword":
            other[at] = f"Then {left} {sign} {right} = {result}, you see"
            expected = {("reworded", at, at)}
    assert changed(steps, other) == expected
