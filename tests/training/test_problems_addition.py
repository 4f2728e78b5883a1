import pytest

from tests.training.problem_making import contents, digest, make_traces, reasons


def test_the_answer_is_the_sum():
    for trace in make_traces("addition", difficulty=12):
        _, a, _, b = trace["prompt"].rstrip(".").split()
        assert (len(a), len(b)) == (12, 12)
        assert trace["final_answer"] == str(int(a) + int(b))


def test_there_is_a_step_for_each_column():
    assert all(len(trace["steps"]) == 3 for trace in make_traces("addition", 20))


def test_the_last_step_holds_the_answer():
    for trace in make_traces("addition"):
        digits, carry = contents(trace)[-1].split("→")[1].split(", carry ")
        assert trace["final_answer"] == (f"{carry}{digits}" if carry != "0" else digits)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("8+6+0=14→4, carry 1", ""),
        ("8+5+0=13→3, carry 1", "the column here is 8+6, not 8+5"),
        ("8+6+1=15→5, carry 1", "adds a carry of 1, but the carry before is 0"),
        ("8+6+0=15→5, carry 1", "8+6+0 is 14, not 15"),
        ("8+6+0=14→4, carry 0", "carries 0, but 14 carries 1"),
        ("8+6+0=14→14, carry 1", "the digits so far are 4, not 14"),
        ("fourteen", "is not of the form a+b+carry=sum→digits so far, carry c"),
    ],
)
def test_a_step_is_judged_with_a_reason(content, reason):
    assert reasons("addition", "Add 8 + 6.", content) == [reason]


def test_the_rows_of_a_seed_never_change():
    assert digest("addition") == "a1b6ec34d43945de43d2f95ba468bbe6929cdd3019d884b3308821a9e4875e72"
