import random
from statistics import mean

import pytest

from training.statistics import mcnemar_exact_p
from training.timelapse import Exam, best_of, changes, expected_share, forgotten, summary


def exam(step: int, right: str, n: int = 10, loss: float | None = None) -> Exam:
    return Exam(step, frozenset(right), n, loss)


def test_the_most_right_answers_are_chosen_then_the_lower_loss_then_the_earlier_step():
    assert best_of([exam(0, ""), exam(5, "abc"), exam(9, "ab")]).chosen.step == 5
    assert best_of([exam(0, "", loss=9.0), exam(5, "abc", loss=2.0), exam(9, "xyz", loss=1.0)]).chosen.step == 9
    assert best_of([exam(0, "", loss=9.0), exam(5, "abc", loss=1.0), exam(9, "xyz", loss=1.0)]).chosen.step == 5
    assert best_of([exam(0, ""), exam(5, "abc"), exam(9, "xyz")]).chosen.step == 5


def test_a_checkpoint_whose_loss_was_no_number_loses_a_tie():
    assert best_of([exam(5, "abc"), exam(9, "xyz", loss=3.0)]).chosen.step == 9


def test_a_run_that_only_made_it_worse_is_best_before_it_began():
    best = best_of([exam(0, "abc"), exam(5, "a")])
    assert (best.chosen.step, best.last.step, best.is_last) == (0, 5, False)


def test_a_choice_among_many_has_to_be_surer():
    last, chosen = exam(90, "", 40), exam(10, "abcdefgh", 40)
    alone = best_of([chosen, last])
    among = best_of([exam(step, "", 40) for step in range(9)] + [chosen, last])
    assert alone.p_value == among.p_value == mcnemar_exact_p(8, 0)
    assert alone.p_adjusted == alone.p_value
    assert among.p_adjusted == 10 * among.p_value
    assert (alone.told_apart, among.told_apart) == (True, False)


def test_the_last_is_not_told_apart_from_itself():
    best = best_of([exam(0, ""), exam(5, "abc")])
    assert best.is_last
    assert (best.won, best.lost, best.p_adjusted, best.told_apart) == (0, 0, 1.0, False)


def test_sentences_say_what_chance_could_explain():
    sure = best_of([exam(10, "abcdefgh", 40), exam(90, "", 40)]).sentence
    assert sure.startswith("Step 10 is best, right on 8 of 40; the last, step 90, is right on 0. Chance does not")
    assert "the last may be as good" in best_of([exam(10, "abc"), exam(90, "ab")]).sentence
    assert best_of([exam(0, ""), exam(5, "abc")]).sentence == "Step 5 is best, right on 3 of 10; it is the last."


def test_each_checkpoint_is_held_against_the_one_before():
    found = changes([exam(0, "ab"), exam(5, "bc"), exam(9, "abc")])
    assert [(change.won, change.lost) for change in found] == [(set(), set()), ({"c"}, {"a"}), ({"a"}, set())]


def test_what_is_wrong_at_the_last_and_was_right_before_is_forgotten():
    assert forgotten([exam(0, "a"), exam(5, "abc"), exam(9, "bd")]) == {"a": 5, "c": 5}
    assert list(forgotten([exam(1, "z"), exam(2, "a"), exam(3, "b"), exam(4, "")])) == ["b", "a", "z"]
    assert forgotten([exam(0, "a")]) == {}


def test_pure_chance_is_expected_to_stay_chance_however_good_the_best_of_it_looks():
    chance, looks, expected = random.Random(1), [], []
    for _ in range(20):
        exams = [Exam(step, frozenset(k for k in range(200) if chance.random() < 0.5), 200) for step in range(40)]
        looks.append(best_of(exams).chosen.share)
        expected.append(expected_share(exams))
    assert mean(looks) > 0.57
    assert mean(expected) == pytest.approx(0.5, abs=0.02)


def test_a_checkpoint_that_is_better_on_every_item_costs_nothing_to_choose():
    exams = [Exam(0, frozenset(), 50), Exam(5, frozenset(range(40)), 50)]
    assert expected_share(exams) == pytest.approx(0.8, abs=0.01)


def test_what_is_expected_is_the_same_every_time_and_known_for_the_smallest_cases():
    exams = [exam(0, "abc"), exam(5, "cde"), exam(9, "bcd")]
    assert expected_share(exams) == expected_share(exams)
    assert expected_share([exam(0, "abc")]) == 0.3
    assert expected_share([exam(0, "a", 1), exam(5, "", 1)]) == 1.0
    assert expected_share([exam(0, "", 0), exam(5, "", 0)]) is None


def test_a_summary_holds_every_checkpoint_and_the_choice():
    found = summary([exam(0, "", loss=5.0), exam(5, "abc", loss=1.0), exam(9, "bd", loss=2.0)])
    assert found["best_step"] == 5
    steps = found["timelapse"]["steps"]
    assert [(s["checkpoint_step"], s["correct"], s["won"], s["lost"]) for s in steps] == [
        (0, 0, 0, 0),
        (5, 3, 3, 0),
        (9, 2, 1, 2),
    ]
    assert found["timelapse"]["forgotten"] == [{"id": "a", "last_right_step": 5}, {"id": "c", "last_right_step": 5}]
    best = found["timelapse"]["best"]
    assert (best["checkpoint_step"], best["last_step"], best["won"], best["lost"]) == (5, 9, 2, 1)
    assert 0 < best["expected_correctness"] < 0.3
