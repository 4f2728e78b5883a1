"""What holds for every problem, the ones that are still to come included."""

import copy
import pkgutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

import training.problems
from tests.training.problem_making import make_traces, verdicts
from training.errors import Invalid
from training.problems import PROBLEMS, generate_traces
from training.renderers import TRACE_SFT
from training.schema import read_trace
from training.tokenizer import Tokenizer, training_texts

INSTRUCTION = "Show your work as steps"
LEVELS = [
    pytest.param(name, level, id=f"{name}-{level}")
    for name, problem in PROBLEMS.items()
    for level in sorted({problem.difficulty_range[0], problem.default_difficulty, problem.difficulty_range[1]})
]


def test_every_file_with_a_problem_is_found_by_itself():
    files = {file.name for file in pkgutil.iter_modules(training.problems.__path__)} - {"problem"}
    assert files == set(PROBLEMS)
    assert all(problem.title and problem.description for problem in PROBLEMS.values())


@pytest.mark.parametrize(("name", "difficulty"), LEVELS)
def test_every_step_of_a_generated_trace_is_right(name, difficulty):
    for trace in make_traces(name, difficulty=difficulty):
        assert read_trace(trace) == trace
        assert all(verdicts(trace)), trace
        assert PROBLEMS[name].group(trace["prompt"])


@pytest.mark.parametrize(("name", "difficulty"), LEVELS)
def test_a_changed_digit_is_found_in_the_step_where_it_is(name, difficulty):
    for trace in make_traces(name, count=3, difficulty=difficulty):
        for index, step in enumerate(trace["steps"]):
            for place, character in enumerate(step["content"]):
                if character.isdigit():
                    other = str((int(character) + 1) % 10)
                    changed = copy.deepcopy(trace)
                    changed["steps"][index]["content"] = step["content"][:place] + other + step["content"][place + 1 :]
                    found = verdicts(changed)
                    assert found.index(False) == index, changed["steps"][index]


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_answer_stands_in_the_last_step(name):
    for trace in make_traces(name):
        last = trace["steps"][-1]["content"]
        assert trace["final_answer"] in (last[-len(trace["final_answer"]) :], _carried(last))


def _carried(last: str) -> str:
    """Column addition writes its last carry beside the digits."""
    digits, _, carry = last.partition(", carry ")
    return carry.strip("0") + digits.split("→")[-1]


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_row_depends_on_its_index_and_not_on_the_count(name):
    assert make_traces(name, count=3) == make_traces(name, count=10)[:3]
    assert make_traces(name, count=3, seed=6) != make_traces(name, count=3)


@pytest.mark.parametrize("name", PROBLEMS)
def test_meta_says_how_to_make_the_row_again(name):
    trace = make_traces(name, count=2)[1]
    difficulty = PROBLEMS[name].default_difficulty
    assert trace["meta"] == {"source": "generated", "problem": name, "difficulty": difficulty, "seed": 5, "index": 1}


@pytest.mark.parametrize("name", PROBLEMS)
def test_problems_at_the_default_difficulty_are_seldom_twins(name):
    traces = make_traces(name, count=500)
    assert len({trace["prompt"] for trace in traces}) > 440
    assert len({PROBLEMS[name].group(trace["prompt"]) for trace in traces}) > 440


@pytest.mark.parametrize("name", PROBLEMS)
def test_no_problem_takes_the_prompt_of_another_for_its_own(name):
    others = [trace["prompt"] for other in PROBLEMS if other != name for trace in make_traces(other, count=20)]
    assert not any(PROBLEMS[name].group(prompt) for prompt in others)


@pytest.mark.parametrize("name", PROBLEMS)
def test_steps_nobody_asked_for_are_wrong(name):
    trace = make_traces(name, count=1)[0]
    trace["steps"].append({"i": 99, "type": "compute", "content": trace["steps"][-1]["content"]})
    assert verdicts(trace)[-1] is False
    assert not any(verdicts(trace | {"prompt": "Something else"}))


@pytest.mark.parametrize("name", PROBLEMS)
@given(data=st.data())
def test_a_checker_answers_to_any_text_with_a_sentence(name, data):
    good = make_traces(name, count=1)[0]
    text = st.text(max_size=60) | st.sampled_from([step["content"] for step in good["steps"]])
    prompt = data.draw(st.just(good["prompt"]) | st.text(max_size=60))
    steps = data.draw(st.lists(text, min_size=1, max_size=8))
    payload = {"prompt": prompt, "steps": [{"i": i, "type": "x", "content": step} for i, step in enumerate(steps)]}
    checks = PROBLEMS[name].check(payload)
    assert len(checks) == len(steps)
    assert all(check.ok == (not check.reason) for check in checks)


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_fits_a_small_model(name):
    """At most 256 tokens with the demo's kind of tokenizer, where every digit is a token of its own."""
    rows = make_traces(name, count=400)
    tokenizer = Tokenizer.train(training_texts(rows, INSTRUCTION), 512)
    lengths = [
        len(tokenizer.encode_prompt(row["prompt"], INSTRUCTION) + tokenizer.encode_response(row, TRACE_SFT))
        for row in rows
    ]
    assert max(lengths) <= 256


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
