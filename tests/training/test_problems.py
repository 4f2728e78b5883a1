"""Generated problems are right, checkable step by step, and the same for the same seed."""

import copy
import hashlib

import pytest

from training.canonical import canonical_json
from training.errors import Invalid
from training.problems import PROBLEMS, generate_traces
from training.schema import read_trace


def traces(name: str, count: int = 200, seed: int = 5, difficulty: int | None = None) -> list[dict]:
    return list(generate_traces(name, count=count, seed=seed, difficulty=difficulty))


def verdicts(trace: dict) -> list[bool]:
    return [check.ok for check in PROBLEMS[trace["meta"]["problem"]].check(trace)]


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_difficulty_gives_sound_traces_with_right_steps(name):
    low, high = PROBLEMS[name].difficulty_range
    for difficulty in range(low, high + 1):
        for trace in traces(name, count=20, difficulty=difficulty):
            assert read_trace(trace) == trace
            assert verdicts(trace) == [True] * difficulty
            assert PROBLEMS[name].group(trace["prompt"])


def test_the_answer_of_a_chain_is_what_its_prompt_computes():
    for trace in traces("chain"):
        start, operations = trace["prompt"].removeprefix("Start at ").split(". ")[:2]
        value = int(start)
        for operation in operations.split()[1:]:
            value = value + int(operation[1:]) if operation[0] == "+" else value * int(operation[1:])
        assert trace["final_answer"] == str(value % 10)


def test_the_answer_of_an_addition_is_the_sum():
    for trace in traces("addition", difficulty=12):
        _, a, _, b = trace["prompt"].rstrip(".").split()
        assert (len(a), len(b)) == (12, 12)
        assert trace["final_answer"] == str(int(a) + int(b))


def test_the_last_step_of_an_addition_holds_the_answer():
    for trace in traces("addition"):
        digits, carry = trace["steps"][-1]["content"].split("→")[1].split(", carry ")
        assert trace["final_answer"] == (f"{carry}{digits}" if carry != "0" else digits)


def test_the_answers_of_chains_are_spread_over_all_digits():
    answers = [trace["final_answer"] for trace in traces("chain", count=2000)]
    assert all(150 < answers.count(str(digit)) < 250 for digit in range(10))


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_row_depends_on_its_index_and_not_on_the_count(name):
    assert traces(name, count=3) == traces(name, count=10)[:3]
    assert traces(name, count=3, seed=6) != traces(name, count=3)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("chain", "51800ac6ff602fb34afbda73af5212489a117a3292397e28f309c8e71f86edaa"),
        ("addition", "a1b6ec34d43945de43d2f95ba468bbe6929cdd3019d884b3308821a9e4875e72"),
    ],
)
def test_the_rows_of_a_seed_never_change(name, digest):
    text = "\n".join(canonical_json(trace) for trace in traces(name, count=50, seed=42))
    assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_meta_says_how_to_make_the_row_again():
    assert traces("chain", count=2)[1]["meta"] == {
        "source": "generated",
        "problem": "chain",
        "difficulty": 8,
        "seed": 5,
        "index": 1,
    }


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_changed_digit_in_a_step_is_found_there(name):
    trace = traces(name, count=1)[0]
    for index, step in enumerate(trace["steps"]):
        for place, character in enumerate(step["content"]):
            if character.isdigit():
                changed = copy.deepcopy(trace)
                other = str((int(character) + 1) % 10)
                changed["steps"][index]["content"] = step["content"][:place] + other + step["content"][place + 1 :]
                assert verdicts(changed)[index] is False


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
def test_a_chain_step_is_judged_with_a_reason(content, reason):
    trace = {
        "prompt": "Start at 7. Then +3. Keep the last digit.",
        "steps": [{"i": 0, "type": "compute", "content": content}],
    }
    (check,) = PROBLEMS["chain"].check(trace)
    assert (check.ok, check.reason) == (not reason, reason)


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
def test_an_addition_step_is_judged_with_a_reason(content, reason):
    trace = {"prompt": "Add 8 + 6.", "steps": [{"i": 0, "type": "compute", "content": content}]}
    (check,) = PROBLEMS["addition"].check(trace)
    assert (check.ok, check.reason) == (not reason, reason)


def test_a_step_after_a_wrong_one_is_judged_by_itself():
    steps = [
        {"i": i, "type": "compute", "content": text} for i, text in enumerate(["7+3→1", "1×9→9", "unread", "0+1→1"])
    ]
    trace = {"prompt": "Start at 7. Then +3 ×9 +5 +1. Keep the last digit.", "steps": steps}
    assert [check.ok for check in PROBLEMS["chain"].check(trace)] == [False, True, False, True]


@pytest.mark.parametrize("name", PROBLEMS)
def test_steps_nobody_asked_for_are_wrong(name):
    trace = traces(name, count=1)[0]
    trace["steps"].append({"i": 99, "type": "compute", "content": trace["steps"][-1]["content"]})
    assert verdicts(trace)[-1] is False
    assert not any(verdicts(trace | {"prompt": "Something else"}))


@pytest.mark.parametrize(
    ("options", "loc"),
    [
        ({"name": "division"}, "problem"),
        ({"count": 0}, "count"),
        ({"count": 1_000_001}, "count"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"difficulty": 0}, "difficulty"),
        ({"difficulty": 33}, "difficulty"),
    ],
)
def test_a_wrong_request_is_refused_before_the_first_row(options, loc):
    name = options.pop("name", "chain")
    with pytest.raises(Invalid) as caught:
        generate_traces(name, **({"count": 1, "seed": 0} | options))
    assert caught.value.faults[0].loc == (loc,)
