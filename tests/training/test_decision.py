"""What is decided, by which rule and in which words; where it got better or worse."""

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.decision import HOLD, NEED, SHIP, Decided, decide
from training.decision_report import SHOWN, evidence_table, slices_section
from training.errors import Invalid
from training.slices import BETTER, NOT_TOLD_APART, WORSE
from training.statistics import mcnemar_exact_p, noise_floor

JUDGEMENTS = st.lists(
    st.tuples(st.sampled_from([True, False, None]), st.sampled_from([True, False, None])), max_size=60
)


def make_rows(judgements, prefix: str = "q") -> list[dict]:
    return [
        {"id": f"{prefix}{i}", "prompt": f"Question {prefix}{i}?", "expected_answer": "7", "correct": correct}
        for i, correct in enumerate(judgements)
    ]


def judged(*, won: int = 0, lost: int = 0, right: int = 0, wrong: int = 0, prefix: str = "q") -> list[list[dict]]:
    """The rows of both examinations."""
    before = [False] * won + [True] * lost + [True] * right + [False] * wrong
    after = [True] * won + [False] * lost + [True] * right + [False] * wrong
    return [make_rows(before, prefix), make_rows(after, prefix)]


def labelled(rows: list[dict], **labels: str) -> list[dict]:
    return [{"id": row["id"], "category": "all", "difficulty": "all"} | labels for row in rows]


def cut(**groups: dict[str, int]) -> Decided:
    """The decision on items whose category is the name of their group."""
    before, after, items = [], [], []
    for name, counts in groups.items():
        first, second = judged(**counts, prefix=name)
        before, after, items = before + first, after + second, items + labelled(first, category=name)
    return decide(before, after, items)


@pytest.mark.parametrize("lost", range(15))
def test_two_items_more_of_thirty_are_no_reason_to_ship(lost):
    found = decide(*judged(won=lost + 2, lost=lost, wrong=30 - 2 * lost - 2)).decision
    assert (found.word, found.rule, found.more_items) == (HOLD, "unsure", None)
    assert found.reason.startswith(f"A gain of 6.7 points ({lost + 2} won, {lost} lost of 30 items) is what chance")


def test_identical_runs_have_p_one_and_hold():
    found = decide(*judged(right=20, wrong=10)).decision
    assert (str(found), found.rule, found.evidence.p_value) == ("HOLD", "no_gain", 1.0)
    assert found.reason == (
        "Not one of 30 items was judged differently. So many items show a difference from 25.1 points on."
    )
    assert found.evidence.bootstrap == (0.0, 0.0)


def test_a_sure_gain_ships():
    found = cut(arithmetic={"won": 12, "wrong": 20}, knowledge={"won": 2, "right": 20})
    assert (found.decision.word, found.decision.rule) == (SHIP, "gain")
    assert found.decision.reason == (
        "A gain of 25.9 points (14 won, 0 lost of 54 items) is more than chance explains (p = 0.0001), "
        "and no slice got worse beyond chance."
    )
    assert [(each.label, each.mark) for each in found.slices] == [("arithmetic", BETTER), ("knowledge", NOT_TOLD_APART)]


def test_a_sure_gain_without_labels_says_that_nobody_looked_at_slices():
    found = decide(*judged(won=12, wrong=20))
    assert found.slices is None
    assert found.decision.reason.endswith("and its slices were not looked at.")


def test_a_slice_that_surely_got_worse_holds_a_gain_back():
    found = cut(arithmetic={"won": 40, "wrong": 20}, knowledge={"lost": 9, "won": 0, "right": 20})
    assert found.decision.evidence.is_sure
    assert (found.decision.word, found.decision.rule) == (HOLD, "slice_worse")
    assert found.decision.reason == (
        "It got worse on category 'knowledge' (0 won, 9 lost, Holm-adjusted p = 0.0039), whatever the other items say."
    )
    assert [each.mark for each in found.slices] == [BETTER, WORSE]


def test_a_sure_loss_holds_with_its_reason():
    found = decide(*judged(won=1, lost=14, right=20)).decision
    assert (found.word, found.rule) == (HOLD, "loss")
    assert found.reason == (
        "It got worse: a loss of 37.1 points (1 won, 14 lost of 35 items) is more than chance explains (p = 0.0010)."
    )


def test_a_loss_that_chance_could_give_holds():
    found = decide(*judged(won=2, lost=5, right=20)).decision
    assert (found.word, found.rule) == (HOLD, "no_gain")
    assert "There is no gain: a loss of 11.1 points" in found.reason


def test_a_promising_gain_asks_for_the_items_that_would_decide():
    found = decide(*judged(won=5, wrong=25)).decision
    assert found.evidence.p_value == 0.0625
    assert (found.word, found.rule, str(found)) == (NEED, "promising", f"NEED {found.more_items} MORE ITEMS")
    assert found.more_items == found.evidence.items_needed - 30 == 15
    assert found.reason.endswith(
        "about 45 items show a difference of this size, 15 more than were asked. Ask them together and decide once."
    )


def test_a_gain_within_what_seeds_move_is_no_gain():
    rows = judged(won=12, wrong=100)
    noise = noise_floor([0.50, 0.60, 0.55])
    assert decide(*rows).decision.word == SHIP
    held = decide(*rows, noise=noise).decision
    assert (held.word, held.rule) == (HOLD, "within_noise")
    assert "two of the 3 runs that differ only in it may lie 30.4 points apart" in held.reason
    assert decide(*rows, noise=noise_floor([0.5, 0.501, 0.502])).decision.word == SHIP


def test_an_item_that_one_could_not_be_asked_is_not_forgiven():
    before, after = judged(won=20, right=10)
    after[-1]["correct"] = None
    found = decide(before, after).decision
    assert (found.word, found.rule, found.evidence.asked_in_one) == (HOLD, "asked_differently", 1)
    before[-1]["correct"] = None
    found = decide(before, after).decision
    assert (found.word, found.evidence.skipped, found.evidence.n) == (SHIP, 1, 29)


def test_the_same_question_again_is_no_second_witness():
    before, after = judged(won=2, wrong=3)
    for rows in (before, after):
        rows += [row | {"id": f"{row['id']} again", "prompt": f" {row['prompt']}\n"} for row in rows * 9]
        rows[5:] = [row | {"id": f"{row['id']} {place}"} for place, row in enumerate(rows[5:])]
    found = decide(before, after).decision
    assert (found.evidence.n, found.evidence.won, found.evidence.repeated) == (5, 2, 45)
    assert found.word == HOLD


def test_nothing_judged_decides_nothing():
    for rows in ([], make_rows([None])):
        found = decide(rows, rows, [])
        assert (found.decision.word, found.decision.rule) == (HOLD, "nothing_judged")
        json.dumps(found.to_dict(), allow_nan=False)


def test_too_few_items_say_that_they_are():
    assert decide(*judged(won=3, wrong=1)).decision.reason.endswith("So few items (4) can show no difference at all.")


def test_answers_to_other_items_are_refused():
    with pytest.raises(Invalid, match="only answers to the same items compare"):
        decide(make_rows([True]), make_rows([True, True]))


def test_slices_are_one_family_whatever_cuts_them():
    before, after = judged(won=8, lost=1, right=11, prefix="a")
    more = judged(won=0, lost=6, right=14, prefix="b")
    items = labelled(before, category="a", difficulty="easy", section="core")
    items += labelled(more[0], category="b", difficulty="hard", section="edge")
    found = decide(before + more[0], after + more[1], items).slices
    assert [(each.dimension, each.label) for each in found] == [
        *[("category", "a"), ("category", "b"), ("difficulty", "easy"), ("difficulty", "hard")],
        *[("section", "core"), ("section", "edge")],
    ]
    assert [each.holm_p for each in found[:2]] == pytest.approx([min(1.0, 6 * mcnemar_exact_p(6, 0))] * 2)
    first = found[0]
    assert (first.n, first.base_right, first.other_right, first.won, first.lost) == (20, 12, 19, 8, 1)
    assert first.difference == pytest.approx(0.35)


def test_slices_too_small_to_show_anything_hide_no_loss():
    crumbs = {f"crumb{i}": {"won": 1, "wrong": 1} for i in range(40)}
    found = cut(core={"lost": 9, "right": 10}, **crumbs)
    assert found.decision.rule == "slice_worse"
    assert found.slices[0].holm_p == pytest.approx(mcnemar_exact_p(0, 9))
    assert {each.holm for each in found.slices[1:]} == {"too few changed"}


def test_a_single_label_and_an_absent_section_make_no_slice():
    before, after = judged(won=8, wrong=4)
    items = labelled(before)
    items[0]["section"], items[1]["section"] = "core", "edge"
    found = decide(before, after, [*items, {"id": "never asked", "category": "other", "difficulty": "all"}])
    assert [(each.dimension, each.label, each.n) for each in found.slices] == [
        ("section", "core", 1),
        ("section", "edge", 1),
    ]


def test_other_peoples_labels_stay_on_one_line_of_a_reason():
    found = cut(**{"\x1b[31m\n# Owned <b>" + "x" * 100: {"lost": 12}, "fine": {"won": 50}})
    assert "\x1b" not in found.decision.reason
    assert "\n" not in found.decision.reason
    assert len(found.decision.reason) < 200


def test_a_report_shows_the_evidence_and_the_slices():
    found = cut(arithmetic={"won": 12, "wrong": 20}, **{"a|b": {"won": 2, "right": 20}})
    table = evidence_table(found.decision.evidence)
    assert "| right after, of 54 | 34 (49.6–74.6 %) |" in table
    assert "| McNemar's exact test | p = 0.0001 |" in table
    assert "| noise floor between seeds | not measured |" in table
    heading, rows = slices_section(found.slices)
    assert heading == "## Slices"
    assert "| category: arithmetic | 32 | 0 | 12 | 12 | 0 | +37.5 points (+17.3 to +53.3) | p = 0.0005 |" in rows
    assert "| category: a\\|b | 22 | 20 | 22 | 2 | 0 |" in rows
    assert slices_section(None) == slices_section([]) == []


def test_a_report_of_many_slices_says_how_many_it_leaves_out():
    found = cut(core={"won": 9}, **{f"crumb{i}": {"wrong": 1} for i in range(SHOWN + 4)})
    _, rows, left = slices_section(found.slices)
    assert len(rows.splitlines()) == SHOWN + 2
    assert "category: core" in rows
    assert left == "5 slices with a larger p are in eval.json only."


@pytest.mark.parametrize("n", [30, 100])
def test_of_two_models_that_are_equally_good_hardly_one_in_forty_ships(n):
    chance, shipped, tried = random.Random(7), 0, 400
    for _ in range(tried):
        base = [chance.random() < 0.5 for _ in range(n)]
        other = [chance.random() < 0.5 if chance.random() < 0.4 else correct for correct in base]
        shipped += decide(make_rows(base), make_rows(other)).decision.word == SHIP
    assert shipped <= tried / 40


@given(JUDGEMENTS)
def test_a_run_against_itself_holds_with_p_one(judgements):
    rows = make_rows([after for _, after in judgements])
    found = decide(rows, rows, labelled(rows)).decision
    assert (found.word, found.evidence.p_value, found.evidence.difference) == (HOLD, 1.0, 0.0)


@given(JUDGEMENTS)
def test_the_evidence_turns_round_with_the_question(judgements):
    base, other = make_rows([one for one, _ in judgements]), make_rows([two for _, two in judgements])
    one, two = decide(base, other).decision.evidence, decide(other, base).decision.evidence
    assert (one.won, one.lost, one.base_right, one.p_value) == (two.lost, two.won, two.other_right, two.p_value)
    assert one.difference == -two.difference
    assert one.interval == pytest.approx((-two.interval[1], -two.interval[0]), abs=1e-12)
    assert one.bootstrap == (-two.bootstrap[1], -two.bootstrap[0])
    assert replace(one, won=0, lost=0).detectable == two.detectable


@given(JUDGEMENTS)
def test_no_decision_ships_both_ways_round(judgements):
    base, other = make_rows([one for one, _ in judgements]), make_rows([two for _, two in judgements])
    assert {decide(base, other).decision.word, decide(other, base).decision.word} != {SHIP}


@given(JUDGEMENTS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_decides_nothing(judgements, order: random.Random):
    base, other = make_rows([one for one, _ in judgements]), make_rows([two for _, two in judgements])
    for rows in (base, other):  # some ask the same, and need not be answered alike
        rows[:] = [row | {"prompt": f"Question {i // 2}?"} for i, row in enumerate(rows)]
    items = [item | {"category": item["id"][-1]} for item in labelled(base)]
    expected = decide(base, other, items).to_dict()
    for rows in (base, other):
        order.shuffle(rows)
    assert decide(base, other, items).to_dict() == expected


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 60))
def test_items_that_did_not_change_make_no_p_smaller_and_ship_nothing(won, lost, more):
    lean, padded = (decide(*judged(won=won, lost=lost, wrong=wrong)).decision for wrong in (3, 3 + more))
    assert padded.evidence.p_value == lean.evidence.p_value
    assert (padded.word == SHIP) == (lean.word == SHIP)
    assert abs(padded.evidence.difference) <= abs(lean.evidence.difference)


@given(JUDGEMENTS)
def test_every_decision_is_one_of_three_words_with_a_finished_sentence(judgements):
    base, other = make_rows([one for one, _ in judgements]), make_rows([two for _, two in judgements])
    found = decide(base, other, labelled(base))
    assert found.decision.word in {SHIP, HOLD, NEED}
    assert (found.decision.more_items is not None) == (found.decision.word == NEED)
    assert found.decision.reason[0].isupper()
    assert found.decision.reason.endswith(".")
    assert found.decision.word != SHIP or (found.decision.evidence.is_sure and found.decision.evidence.difference > 0)
    json.dumps(found.to_dict(), allow_nan=False)
