import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import make_payload
from traces.scorers import SCORERS, VERDICTS, scorer
from training.errors import Invalid
from training.problems import PROBLEMS, generate_traces


def judged(name: str, *steps: str, **payload) -> tuple[float | None, dict]:
    return scorer(name).score(make_payload(steps=list(steps), **payload))


def test_scorers_have_names_versions_and_a_place():
    assert list(SCORERS) == ["baseline", "arithmetic", "answer_check", "problem", "format", "redundancy"]
    assert VERDICTS == ("arithmetic", "answer_check", "problem")
    for found in SCORERS.values():
        assert found.version
        assert found.title
        assert found.description


def test_an_unknown_scorer_is_named_with_those_there_are():
    with pytest.raises(Invalid, match="'beauty' is not a scorer; choose one of baseline, arithmetic"):
        scorer("beauty")


# baseline


@pytest.mark.parametrize(
    ("steps", "points"),
    [(["x" * 500] * 10, 100.0), (["x" * 900] * 30, 100.0), (["x"], 5.1), (["x" * 250] * 5, 50.0)],
)
def test_the_baseline_is_bounded_by_a_hundred(steps, points):
    assert judged("baseline", *steps)[0] == pytest.approx(points)


# arithmetic


def test_arithmetic_gives_the_share_of_right_equations_and_the_first_wrong_step():
    payload = make_payload(steps=["Half: 48/2 = 24", "We go on.", "10/3 = 3.33", "24 + 24 = 49 and 1 + 1 = 3", "1+1=5"])
    for number, step in enumerate(payload["steps"]):
        step["i"] = number * 10
    points, details = scorer("arithmetic").score(payload)
    assert points == pytest.approx(40)
    assert (details["right"], details["rounded"], details["wrong"]) == (1, 1, 3)
    assert details["first_wrong"] == 30
    assert [(step["i"], step["ok"]) for step in details["steps"]] == [(0, True), (20, True), (30, False), (40, False)]
    assert details["steps"][2]["reason"] == "24 + 24 is 48, not 49; 1 + 1 is 2, not 3"


def test_arithmetic_does_not_judge_what_holds_no_equation():
    points, details = judged("arithmetic", "Think.", "x = 5")
    assert points is None
    assert details == {"right": 0, "rounded": 0, "wrong": 0, "first_wrong": None, "steps": []}


# answer_check


@pytest.mark.parametrize(
    ("last", "answer"),
    [
        ("27 × 19 = 513", "513"),
        ("In all $1,200.00", "1200"),
        ("So 18 are left of the 20", "18 apples"),
        ("20/3 = 6.666666", "6.67"),
        ("1/4 = 25%", "0.25"),
        ("That is $0.25 a can", "25"),
        ("It is a loss of 5", "5"),
        ("Therefore the winner is Alice.", "alice"),
        ("The option is (B).", "B"),
    ],
)
def test_an_answer_that_stands_in_the_last_step_follows(last, answer):
    assert judged("answer_check", "first 1 + 1 = 2", last, final_answer=answer)[0] == 100


def test_a_last_step_without_a_number_passes_the_question_on():
    assert judged("answer_check", "27 × 19 = 513", "So we are done.", final_answer="513")[0] == 100


def test_an_answer_other_than_the_last_result_does_not_follow():
    points, details = judged("answer_check", "2 * 3 = 6", "So 48 + 16 = 64 points.", final_answer="66")
    assert points == 0
    assert details["reason"] == "the last step ends with '48 + 16 = 64', the answer is '66'"


@pytest.mark.parametrize(
    ("last", "answer"),
    [
        ("It is the tall one.", "the red house"),
        ("They share equally.", "5"),
        ("5+6+1=12→212, carry 1", "1212"),
        ("16 * 2 = 32 feet. That is more than the window, so it took three days", "3"),
        ("x lies between 3 and 9", "5"),
    ],
)
def test_what_cannot_be_decided_has_no_points(last, answer):
    points, details = judged("answer_check", last, final_answer=answer)
    assert points is None
    assert details["reason"]


# format


@pytest.mark.parametrize(
    ("name", "weight", "payload"),
    [
        ("tags_left", 30, {"steps": ["<think> 1 + 1 = 2"]}),
        ("tags_left", 30, {"steps": ["ok"], "final_answer": "5<|im_end|>"}),
        ("calculator_notes", 20, {"steps": ["48/2=<<48/2=24>>24"]}),
        ("markup", 10, {"steps": ["5<br/>6"]}),
        ("control_characters", 15, {"steps": ["a\u200bb"]}),
        ("control_characters", 15, {"steps": ["a\x07b"]}),
        ("broken_characters", 15, {"steps": ["itâ€™s"]}),
        ("empty_step", 20, {"steps": ["ok", "---"]}),
        ("steps_in_one", 20, {"steps": ["1. add\n2. multiply"]}),
        ("steps_in_one", 20, {"steps": ["We do:\n- add\n- multiply"]}),
        ("own_number", 10, {"steps": ["Step 1: add"]}),
        ("own_number", 10, {"steps": ["1) add"]}),
        ("prompt_in_step", 20, {"prompt": "What is 27 × 19, then?", "steps": ["what is  27 × 19, then? Well."]}),
        ("cut_off", 20, {"steps": ["so we add 5 +"]}),
        ("empty_answer", 40, {"steps": ["ok"], "final_answer": "..."}),
        ("answer_announced", 10, {"steps": ["ok"], "final_answer": "The answer is 5"}),
        ("answer_announced", 10, {"steps": ["ok"], "final_answer": "#### 5"}),
        ("long_answer", 20, {"steps": ["ok"], "final_answer": "because " * 30}),
    ],
)
def test_each_fault_of_format_is_named_and_costs_its_weight(name, weight, payload):
    points, details = scorer("format").score(make_payload(**payload))
    assert points == 100 - weight
    assert details["findings"] == {name: {"weight": weight, "count": 1}}
    assert len(details["remarks"]) + len(details["answer"]) == 1


def test_a_kind_of_fault_costs_once_however_often_it_occurs():
    points, details = judged("format", *["<<1+1=2>>2"] * 5)
    assert (points, details["findings"]["calculator_notes"]["count"]) == (80, 5)


@pytest.mark.parametrize(
    "step", ["3.5 + 2 = 5.5", "1.5 hours", "a < b and b > c", "5 * 3 = 15\nso 15", "-3 + 4 = 1", "🦉", "i.e. 5"]
)
def test_good_texts_have_no_fault(step):
    assert judged("format", step) == (100.0, {"findings": {}, "answer": [], "remarks": []})


def test_points_do_not_fall_below_zero():
    worst = "1. <think><<1+1=2>>\u200b<br>â€™\n1. a\n2. b"
    assert judged("format", worst, "***", "and", final_answer="</answer>")[0] == 0


# redundancy


def test_new_words_are_no_repetition():
    assert judged("redundancy", "First we add three and four.", "Then we halve the sum.")[0] == 100


def test_a_repeated_step_counts_as_repeated():
    step = "We add the apples to the pears"
    points, details = judged("redundancy", step, "Something else is said here now", step.upper() + "!")
    assert points == pytest.approx(100 * 13 / 20)
    assert details["remarks"] == [{"i": 2, "reason": "7 of its 7 words repeat the step with i = 0"}]


def test_short_steps_may_recur():
    assert judged("redundancy", "3×7→1", "1+2→3", "3×7→1")[0] == 100


def test_a_long_run_of_words_from_the_prompt_is_repeated():
    prompt = "A robe takes two bolts of blue fibre and half that much white fibre"
    points, details = judged("redundancy", prompt, "So it takes three", prompt=prompt)
    assert points == pytest.approx(100 * 4 / 18)
    assert details["from_prompt"] == 14


def test_steps_without_words_are_not_judged():
    assert judged("redundancy", "→", "…")[0] is None


# problem


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_generated_traces_are_right_by_their_own_checker(name):
    (payload,) = generate_traces(name, count=1, seed=5)
    points, details = scorer("problem").score(payload)
    assert (points, details["first_wrong"], details["wrong"]) == (100, None, 0)


def test_a_wrong_step_of_a_generated_problem_is_found():
    (payload,) = generate_traces("addition", count=1, seed=5)
    payload["steps"][1]["content"] = payload["steps"][1]["content"].replace("=", "=9")
    points, details = scorer("problem").score(payload)
    assert points < 100
    assert details["first_wrong"] == 1
    assert "is" in details["steps"][1]["reason"]


@pytest.mark.parametrize("meta", [None, {}, {"problem": "juggling"}, {"problem": 5}, {"problem": "addition"}])
def test_what_is_no_generated_problem_is_not_judged_by_one(meta):
    points, details = scorer("problem").score(make_payload("Why?", meta=meta))
    assert points is None
    assert details["reason"]


# all of them


def test_generated_problems_are_never_called_wrong():
    for name in PROBLEMS:
        for payload in generate_traces(name, count=40, seed=11):
            for found in SCORERS.values():
                points, details = found.score(payload)
                assert points is None or found.name not in VERDICTS or points == 100, (found.name, payload, details)


texts = st.text(
    st.one_of(
        st.sampled_from("0123456789+-*/=()<>% \n.$#|_"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    min_size=1,
    max_size=80,
)


@given(texts, st.lists(texts, min_size=1, max_size=70), texts)
def test_any_trace_gets_points_within_bounds_and_details_that_are_small_json(prompt, steps, answer):
    payload = make_payload(prompt, steps=steps, final_answer=answer)
    for found in SCORERS.values():
        points, details = found.score(payload)
        assert points is None or 0 <= points <= 100
        assert len(json.dumps(details, allow_nan=False)) < 40_000
        assert len(details.get("steps", [])) <= 50
        assert len(details.get("remarks", [])) <= 50
        assert (points, details) == found.score(payload)


def test_the_wrong_steps_stay_when_there_are_too_many_to_keep():
    steps = ["1 + 1 = 2"] * 80 + ["1 + 1 = 3"] * 3
    _, details = judged("arithmetic", *steps)
    assert details["first_wrong"] == 80
    assert [step["i"] for step in details["steps"] if not step["ok"]] == [80, 81, 82]
    assert len(details["steps"]) == 50


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_work_that_stops_early_or_ends_in_another_answer_does_not_solve_the_problem(name):
    whole = next(trace for trace in generate_traces(name, count=20, seed=3) if len(trace["steps"]) > 1)
    judge = SCORERS["problem"].score
    assert judge(whole)[0] == 100
    points, details = judge(whole | {"steps": whole["steps"][:1]})
    assert points < 100
    assert details["missing"] == len(whole["steps"]) - 1
    points, details = judge(whole | {"final_answer": "99999"})
    assert points < 100
    assert details["right_answer"] == whole["final_answer"]
