import pytest

from tests.training.problem_making import digest, make_traces, reasons


def test_the_answer_is_what_the_prompt_computes():
    for trace in make_traces("chain"):
        start, operations = trace["prompt"].removeprefix("Start at ").split(". ")[:2]
        value = int(start)
        for operation in operations.split()[1:]:
            value = value + int(operation[1:]) if operation[0] == "+" else value * int(operation[1:])
        assert trace["final_answer"] == str(value % 10)


@pytest.mark.parametrize("difficulty", [1, 8, 32])
def test_the_difficulty_is_the_number_of_operations(difficulty):
    assert all(len(trace["steps"]) == difficulty for trace in make_traces("chain", 20, difficulty=difficulty))


def test_the_answers_are_spread_over_all_digits():
    answers = [trace["final_answer"] for trace in make_traces("chain", count=2000)]
    assert all(150 < answers.count(str(digit)) < 250 for digit in range(10))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("7+3→0", ""),
        ("7 + 3 = 0", ""),
        ("7+3→1", "7+3 ends in 0, not 1"),
        ("7+4→1", "the operation asked for here is +3, not +4"),
        ("6+3→9", "continues from 6, but the value before is 7"),
        ("seven plus three", "is not of the form 7+3→result"),
    ],
)
def test_a_step_is_judged_with_a_reason(content, reason):
    assert reasons("chain", "Start at 7. Then +3. Keep the last digit.", content) == [reason]


def test_a_step_after_a_wrong_one_is_judged_by_itself():
    found = reasons("chain", "Start at 7. Then +3 ×9 +5 +1. Keep the last digit.", "7+3→1", "1×9→9", "unread", "0+1→1")
    assert [not reason for reason in found] == [False, True, False, True]


def test_the_rows_of_a_seed_never_change():
    assert digest("chain") == "51800ac6ff602fb34afbda73af5212489a117a3292397e28f309c8e71f86edaa"
