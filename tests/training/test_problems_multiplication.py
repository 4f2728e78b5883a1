import pytest

from tests.training.problem_making import contents, digest, make_traces, reasons
from training.problems import PROBLEMS


@pytest.mark.parametrize("difficulty", [1, 2, 8])
def test_the_answer_is_the_product(difficulty):
    for trace in make_traces("multiplication", difficulty=difficulty):
        _, a, _, b = trace["prompt"].rstrip(".").split()
        assert (len(a), len(b)) == (difficulty, difficulty)
        assert trace["final_answer"] == str(int(a) * int(b))
        assert len(trace["steps"]) == difficulty


def test_each_digit_is_multiplied_at_its_place_and_added_to_the_total():
    steps = ["36×7=252, 0+252=252", "36×0=0, 252+0=252", "36×400=14400, 252+14400=14652"]
    assert reasons("multiplication", "Multiply 36 × 407.", *steps) == ["", "", ""]


def test_factors_in_either_order_are_twins():
    group = PROBLEMS["multiplication"].group
    assert group("Multiply 36 × 47.") == group("Multiply 47 × 36.")
    assert group("Multiply 36 × 47.") != group("Multiply 36 × 48.")
    assert group("Multiply 36 by 47.") is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("36×40=1440, 252+1440=1692", ""),
        ("36 × 40 = 1440, 252 + 1440 = 1692", ""),
        ("36×4=144, 252+144=396", "the product asked for here is 36×40, not 36×4"),
        ("36×40=1430, 252+1430=1682", "36×40 is 1440, not 1430"),
        ("36×40=1440, 262+1440=1702", "adds to 262, but the total before is 252"),
        ("36×40=1440, 252+144=396", "adds 144, but the product is 1440"),
        ("36×40=1440, 252+1440=1792", "252+1440 is 1692, not 1792"),
        ("36×40=1440", "is not of the form a×digit=product, total+product=new total"),
        (f"36×40={'1' * 5000}, 252+1=253", "is not of the form a×digit=product, total+product=new total"),
    ],
)
def test_a_step_is_judged_with_a_reason(content, reason):
    assert reasons("multiplication", "Multiply 36 × 47.", "36×7=252, 0+252=252", content) == ["", reason]


def test_a_step_after_a_wrong_one_is_judged_by_itself():
    found = reasons("multiplication", "Multiply 36 × 47.", "36×7=253, 0+253=253", "36×40=1440, 253+1440=1693")
    assert [not reason for reason in found] == [False, True]


def test_a_step_repeats_nothing_but_the_total():
    assert contents(make_traces("multiplication", 1, difficulty=3)[0])[1].count("=") == 2


def test_the_rows_of_a_seed_never_change():
    assert digest("multiplication") == "b67d680c840bdd88b30ea4c0c40471987b493f59a7a097b893e546e729d2a58a"
