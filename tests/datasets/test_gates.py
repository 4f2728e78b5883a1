"""What gates find, and what they let pass. Those that search texts and characters have files of their own."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from datasets_app.apps import DatasetsConfig
from datasets_app.gates import GATES, NAMES, REFUSE, WARN, Taught, action_of, open_gates
from datasets_app.gates.first_seen import FirstSeen
from datasets_app.gates.gate import KEPT, NAMED
from tests.datasets.rows import found_by, make_row, taught_by, texts
from training import judges
from training.judges import judge_output
from training.packing import encode_example
from training.renderers import END_OF_TURN, REASONING_TAGS, RECIPES, TRACE_SFT, plain_response
from training.tokenizer import SPECIAL_TOKENS, Tokenizer


def test_gates_say_what_they_check_in_words_that_stay():
    assert list(GATES) == [
        "trained_tokens",
        "answer_fits",
        "stop_token",
        "prompt_parity",
        "empty_steps",
        "recipe_marks",
        "answer_reads_back",
        "conflicting_answers",
        "repeats",
        "charset",
        "secrets",
        "emails",
    ]
    refusing = {name for name, gate in GATES.items() if gate.action == REFUSE}
    assert refusing == {"stop_token", "prompt_parity"}
    assert all(gate.rule and not gate.rule.endswith(".") for gate in GATES.values())


@pytest.mark.parametrize("recipe", RECIPES)
def test_ordinary_rows_pass_every_gate(recipe):
    rows = [make_row(f"What is {n} + {n}?", [f"{n} + {n} = {2 * n}"], str(2 * n), row_id=f"r{n}") for n in range(150)]
    for gate in open_gates(taught_by(rows, recipe=recipe)):
        gate.look(rows)
        assert gate.result(WARN) == {
            "gate": gate.name,
            "check": gate.rule,
            "action": "warn",
            "result": "passed",
            "checked": 150,
            "count": 0,
            "rows": [],
            "findings": [],
        }


def test_a_result_counts_all_findings_keeps_some_and_names_ten():
    rows = [make_row(steps=[" "], row_id=f"r{n}") for n in range(KEPT + 50)]
    result = found_by("empty_steps", rows)
    assert (result["result"], result["checked"], result["count"]) == ("found", KEPT + 50, KEPT + 50)
    assert result["rows"] == [f"r{n}" for n in range(NAMED)]
    assert len(result["findings"]) == KEPT
    assert result["findings"][0] == {"row": "r0", "why": "step 1 has no letter or digit", "step": 1}


# --- Tokens ----------------------------------------------------------------------------------------


def test_a_row_whose_prompt_fills_the_sequence_trains_nothing():
    row = make_row("What is 2 + 2? " * 20)
    taught = taught_by([row])
    prompt = encode_example(taught.tokenizer, row, recipe=TRACE_SFT, instruction="Add").prompt_length
    assert found_by("trained_tokens", [row], taught_by([row], max_length=prompt))["count"] == 0  # one place is left
    found = found_by("trained_tokens", [row], taught_by([row], max_length=prompt - 1))["findings"]
    assert found == [
        {
            "row": "a",
            "why": f"its prompt alone takes {prompt} of {prompt - 1} tokens: nothing of its answer is trained",
            "prompt_tokens": prompt,
            "max_length": prompt - 1,
        }
    ]


def test_an_answer_that_does_not_fit_is_told_with_its_length():
    row = make_row()
    taught = taught_by([row])
    length = encode_example(taught.tokenizer, row, recipe=TRACE_SFT, instruction="Add").length
    assert found_by("answer_fits", [row], taught_by([row], max_length=length))["count"] == 0
    found = found_by("answer_fits", [row], taught_by([row], max_length=length - 3))["findings"]
    assert found[0]["why"] == f"takes {length} tokens, 3 more than max_length"
    assert (found[0]["tokens"], found[0]["max_length"]) == (length, length - 3)


def test_a_tokenizer_that_does_not_end_turns_is_found():
    class Endless(Tokenizer):
        def encode_row(self, row, recipe, instruction):
            tokens, prompt_length = super().encode_row(row, recipe, instruction)
            return tokens[:-1], prompt_length

    assert found_by("stop_token", [make_row()], tokenizer=Endless)["count"] == 1


def test_a_training_prefix_that_evaluation_does_not_feed_is_found():
    class Shifted(Tokenizer):
        def encode_row(self, row, recipe, instruction):
            return super().encode_row(row | {"prompt": row["prompt"] + " "}, recipe, instruction)

    found = found_by("prompt_parity", [make_row("Two?")], tokenizer=Shifted)["findings"][0]
    plain = taught_by([make_row("Two?")]).tokenizer.encode_prompt("Two?", "Add")
    assert found["token"] == plain.index(SPECIAL_TOKENS.index(END_OF_TURN))
    assert found["why"] == f"training and evaluation differ from token {found['token']} on"


@given(st.text(texts(), max_size=60), st.text(texts(), max_size=10), st.sampled_from(list(RECIPES)))
def test_training_prefix_and_evaluation_prompt_are_the_same_for_any_prompt(prompt, instruction, recipe):
    row = make_row(prompt)
    taught = Taught(recipe, instruction, 4096, taught_by([make_row()]).tokenizer)
    for name in ("prompt_parity", "stop_token", "trained_tokens"):
        assert found_by(name, [row], taught)["count"] == 0


# --- Steps and answers ------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", " \n\t", "...", "—", "= ( )", "\u200b", "***"])
def test_a_step_without_a_letter_or_a_digit_is_empty(content):
    assert found_by("empty_steps", [make_row(steps=["one", content])])["rows"] == ["a"]


@pytest.mark.parametrize("content", ["1", "x", "(1)", "≈ 3", "答", "½", "= π ="])
def test_a_step_with_a_letter_or_a_digit_is_not_empty(content):
    assert found_by("empty_steps", [make_row(steps=[content])])["count"] == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"prompt": "Say <end_of_turn>"}, "holds <end_of_turn> as text"),
        ({"final_answer": "<start_of_turn>"}, "holds <start_of_turn> as text"),
        ({"steps": ["one\nAnswer: 5"]}, "its own response has 2 lines that begin with `Answer:`; one belongs there"),
        ({"steps": ["one\n7. seven"]}, "its own response has a step numbered 7 where 2 belongs"),
    ],
)
def test_marks_of_the_rendering_within_texts_are_found(change, why):
    assert found_by("recipe_marks", [make_row(**change)])["findings"][0]["why"] == why


def test_tags_within_a_step_disturb_the_recipe_that_writes_them():
    row = make_row(steps=["<answer>5</answer>"])
    assert found_by("recipe_marks", [row], taught_by([row], recipe=REASONING_TAGS))["count"] == 1
    assert found_by("recipe_marks", [row])["count"] == 0


@pytest.mark.parametrize(
    "change", [{"steps": ["a < b\nso c"]}, {"prompt": "Answer:\n1. this"}, {"final_answer": "a\nb"}]
)
def test_lines_that_are_no_marks_pass(change):
    assert found_by("recipe_marks", [make_row(**change)])["count"] == 0


@pytest.mark.parametrize("answer", ["5\nAnswer: 6", "   ", "\0", "1" * 70_000])
def test_an_answer_that_is_not_read_back_is_found(answer):
    assert found_by("answer_reads_back", [make_row(final_answer=answer)])["count"] == 1


@given(st.text(texts() | st.sampled_from("\n<>/ 0\0:"), max_size=20), st.sampled_from(list(RECIPES)))
def test_answers_read_back_as_the_judge_says(answer, recipe):
    row = make_row(final_answer=answer, steps=["<answer>1</answer>", "Answer: 2"])
    for part in (row, make_row(final_answer=answer)):
        item = {"expected_answer": answer}
        right = judge_output(item, plain_response(part, recipe), recipe)["correct"]
        assert found_by("answer_reads_back", [part], taught_by([make_row()], recipe=recipe))["count"] == (not right)


def test_two_answers_to_one_prompt_are_found_however_it_is_spelled():
    rows = [
        make_row("Two plus two?", final_answer="4", row_id="first"),
        make_row("  two PLUS two?", final_answer="5", row_id="other"),
        make_row("Two plus two?", final_answer=" 4.0 ", row_id="same"),
        make_row("TWO plus two?", final_answer="$4.", row_id="dressed"),
        make_row("Two plus three?", final_answer="5", row_id="unrelated"),
        make_row("two plus two?", final_answer="five", row_id="word"),
    ]
    gate = opened("conflicting_answers", rows)
    assert [(found["row"], found["position"]) for found in gate.result(WARN)["findings"]] == [("other", 0), ("word", 0)]
    assert gate.stats() == {"conflicting_prompts": 1}


@given(
    st.lists(st.sampled_from(["4", "4.0", " 4", "four", "Four.", "4/1", "1/2", ".5", "½", "x" * 99, "X" * 99, "a b"]))
)
def test_answers_conflict_just_when_judges_tell_them_apart(answers):
    rows = [make_row(final_answer=answer, row_id=str(n)) for n, answer in enumerate(answers)]
    differing = [str(n) for n, answer in enumerate(answers) if not judges.same_answer(answer, answers[0])]
    assert found_by("conflicting_answers", rows)["rows"] == differing[:NAMED]


def test_a_row_is_there_twice_when_it_says_the_same_whatever_its_meta():
    rows = [
        make_row(steps=["a", "b"], meta={"n": 1}, row_id="first"),
        make_row(steps=["a\nb"], row_id="cut otherwise"),
        make_row(steps=["a", "b"], row_id="again"),
        make_row(steps=["a", "b"], final_answer="5", row_id="another answer"),
        make_row("What is 2 + 2?\na", steps=["b"], row_id="longer prompt"),
        make_row(steps=["a\nb"], row_id="cut again"),
    ]
    found = found_by("repeats", rows)["findings"]
    assert [(finding["row"], finding["position"]) for finding in found] == [("again", 0), ("cut again", 1)]


@given(st.lists(st.lists(st.integers(-20, 20), max_size=12), max_size=12))
def test_what_was_there_before_is_known_however_it_comes(chunks):
    seen, before = FirstSeen(), {}
    for number, key in enumerate(key for chunk in chunks for key in chunk):
        before.setdefault(max(key, 1) if key in (0, 1) else key, number)
    everything, start = [key for chunk in chunks for key in chunk], 0
    expected = [(n, before[max(key, 1) if key in (0, 1) else key]) for n, key in enumerate(everything)]
    found = []
    for chunk in chunks:
        found += [(start + index, earlier) for index, earlier in seen.again(chunk)]
        start += len(chunk)
    assert found == [(n, first) for n, first in expected if n != first]


def test_many_things_are_remembered_in_few_bytes():
    seen = FirstSeen()
    for start in range(0, 200_000, 500):
        assert not list(seen.again(hash(f"{n}") for n in range(start, start + 500)))
    assert list(seen.again([hash("0"), hash("new"), hash("199999")])) == [(0, 0), (2, 199_999)]
    assert seen._keys.nbytes + seen._positions.nbytes < 30 * 200_000


# --- What is done about it --------------------------------------------------------------------------


def test_what_a_gate_does_is_asked_for_or_set_or_its_own(settings):
    assert action_of("emails", {}) == WARN
    assert action_of("stop_token", {}) == REFUSE
    settings.DATASET_REFUSES = ["emails", "contamination"]
    assert action_of("emails", {}) == action_of("contamination", {}) == REFUSE
    assert action_of("emails", {"emails": WARN}) == WARN
    assert action_of("secrets", {}) == WARN


def test_a_setting_that_names_no_gate_stops_the_start(settings):
    settings.DATASET_REFUSES = ["emails", "typo"]
    with pytest.raises(ImproperlyConfigured, match=r"DATASET_REFUSES='emails,typo': typo is no gate"):
        DatasetsConfig.create("datasets_app").ready()
    settings.DATASET_REFUSES = list(NAMES)
    DatasetsConfig.create("datasets_app").ready()


def opened(name, rows):
    gate = GATES[name](taught_by(rows))
    gate.look(rows)
    return gate
