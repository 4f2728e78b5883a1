import pytest

from tests.training.problem_making import contents, digest, make_traces, reasons
from training.problems import PROBLEMS


@pytest.mark.parametrize("difficulty", [2, 5, 16])
def test_the_answer_is_the_sorted_list(difficulty):
    for trace in make_traces("sorting", difficulty=difficulty):
        numbers = [int(number) for number in trace["prompt"].removeprefix("Sort ").rstrip(".").split()]
        assert len(numbers) == difficulty
        assert trace["final_answer"] == " ".join(map(str, sorted(numbers)))
        assert len(trace["steps"]) == difficulty - 1


def test_every_step_holds_all_the_numbers_and_one_more_of_them_sorted():
    for trace in make_traces("sorting"):
        numbers = trace["prompt"].removeprefix("Sort ").rstrip(".").split()
        for done, content in enumerate(contents(trace), start=2):
            state = content.split(": ")[1].replace("| ", "").split()
            assert sorted(state) == sorted(numbers)
            assert state[:done] == sorted(numbers[:done])
            assert state[done:] == numbers[done:]


def test_the_same_numbers_in_another_order_are_twins():
    group = PROBLEMS["sorting"].group
    assert group("Sort 70 18 55.") == group("Sort 18 55 70.")
    assert group("Sort 70 18 55.") != group("Sort 70 18 56.")
    assert group("Sort 70.") is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("Insert 55: 18 55 70 | 98", ""),
        ("Insert 55:18 55 70|98", ""),
        ("Insert 98: 18 70 98 | 55", "the number to insert here is 55, not 98"),
        ("Insert 55: 18 70 55 | 98", "the list is now 18 55 70 | 98, not 18 70 55 | 98"),
        ("Insert 55: 18 55 | 98", "the list is now 18 55 70 | 98, not 18 55 | 98"),
        ("Insert 55: 18 55 70 98", "the list is now 18 55 70 | 98, not 18 55 70 98"),
        ("55 goes between", "is not of the form Insert n: sorted part | rest"),
    ],
)
def test_a_step_is_judged_with_a_reason(content, reason):
    assert reasons("sorting", "Sort 70 18 55 98.", "Insert 18: 18 70 | 55 98", content) == ["", reason]


def test_a_step_after_a_wrong_one_goes_on_from_what_that_one_wrote():
    found = reasons("sorting", "Sort 70 18 55 98.", "Insert 18: 70 18 | 55 98", "Insert 55: 55 70 18 | 98")
    assert [not reason for reason in found] == [False, True]


@pytest.mark.parametrize("unusable", ["unread", "Insert 18: 18 | 55 98"])
def test_a_step_after_one_that_lost_the_list_goes_on_from_the_problem(unusable):
    found = reasons("sorting", "Sort 70 18 55 98.", unusable, "Insert 55: 18 55 70 | 98")
    assert [not reason for reason in found] == [False, True]


def test_the_rows_of_a_seed_never_change():
    assert digest("sorting") == "ef76b097e44d0806574677c06e1c3e306ab5932caa245f70c4cfa3aa915d4256"
