"""Each format's rows become traces whole, and what cannot become one is refused with its place."""

import io
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import Invalid
from training.formats import FORMATS, detect_format, read_traces, to_trace
from training.schema import read_trace

GSM8K = Path(__file__).parent.parent / "fixtures" / "gsm8k_sample.jsonl"
TRACE = {
    "trace_version": "1.0",
    "prompt": "1 + 1?",
    "steps": [{"i": 0, "type": "compute", "content": "1 + 1 = 2"}],
    "final_answer": "2",
    "meta": {"source": "hand"},
}
USER = {"role": "user", "content": "1 + 1?"}


def read(data: bytes, **options: str):
    return read_traces(io.BytesIO(data), source="file", max_line_bytes=2**20, **options)


def conversation(*messages: dict, **extras: object) -> dict:
    return read_trace(to_trace({"messages": list(messages), **extras}, "messages", source="chat"))


def assistant(content: str, **extras: object) -> dict:
    return {"role": "assistant", "content": content, **extras}


def steps_of(trace: dict) -> list[str]:
    return [step["content"] for step in trace["steps"]]


def fault_of(obj: dict, format: str):
    with pytest.raises(Invalid) as caught:
        to_trace(obj, format, source="file")
    return caught.value.faults[0]


def test_a_trace_row_stays_as_it_is():
    reader = read(json.dumps(TRACE).encode())
    assert list(reader) == [(1, TRACE)]
    assert reader.format == "trace"


def test_real_gsm8k_rows_keep_every_step_and_lose_the_calculator_notes():
    reader = read(GSM8K.read_bytes())
    traces = [trace for _, trace in reader]
    assert reader.format == "gsm8k"
    assert [len(trace["steps"]) for trace in traces] == [2, 2, 3, 2, 2]
    assert [trace["final_answer"] for trace in traces] == ["72", "10", "624", "18", "540"]
    assert steps_of(traces[0])[0] == "Natalia sold 48/2 = 24 clips in May."
    assert traces[0]["meta"] == {"source": "file"}


def test_gsm8k_keeps_the_final_answer_as_written_and_skips_blank_lines():
    row = {"question": "q", "answer": "a <<1+1=2>>2\n\n  \nb\n#### 1,234 ", "id": 7}
    trace = read_trace(to_trace(row, "gsm8k", source="file"))
    assert (steps_of(trace), trace["final_answer"]) == (["a 2", "b"], "1,234")
    assert trace["meta"] == {"source": "file", "id": 7}


@pytest.mark.parametrize("answer", ["no final line", "", "step\n#### 4\nafter", "#### 4"])
def test_a_gsm8k_answer_without_steps_or_final_line_is_refused(answer):
    fault = fault_of({"question": "q", "answer": answer}, "gsm8k")
    assert (fault.loc, fault.type) == (("answer",), "missing_field")


@pytest.mark.parametrize(
    "turn",
    [
        assistant("<think>\n1. one and one\n\n2. make two\n</think>\n2"),
        assistant("<reasoning>one and one\nmake two</reasoning>\n<answer>2</answer>"),
        assistant("2", reasoning_content="one and one\nmake two"),
        assistant("one and one\nmake two\n</think>2"),
        assistant("<think>one and one\nmake two</think>So it is <answer> 2 </answer> indeed."),
    ],
    ids=["think", "reasoning and answer", "reasoning_content", "no opening tag", "answer in a sentence"],
)
def test_an_assistant_turn_splits_into_steps_and_answer(turn):
    trace = conversation(USER, turn)
    assert (trace["prompt"], steps_of(trace), trace["final_answer"]) == ("1 + 1?", ["one and one", "make two"], "2")


def test_a_line_that_starts_with_a_number_of_its_own_keeps_it():
    trace = conversation(USER, assistant("<think>3.5 + 1 = 4.5\n12 apples</think>x"))
    assert steps_of(trace) == ["3.5 + 1 = 4.5", "12 apples"]


def test_system_text_comes_first_and_user_turns_are_joined():
    system = {"role": "system", "content": "Be brief."}
    trace = conversation(system, USER, {"role": "user", "content": "Hurry."}, assistant("<think>a</think>2"))
    assert trace["prompt"] == "Be brief.\n\n1 + 1?\n\nHurry."


def test_earlier_turns_of_a_conversation_stand_in_the_prompt_with_their_speakers():
    first = assistant("<think>hidden</think>2")
    trace = conversation(
        USER, first, {"role": "user", "content": "And + 1?"}, assistant("<think>2 + 1</think>3"), id="c1"
    )
    assert trace["prompt"] == "User: 1 + 1?\n\nAssistant: 2\n\nUser: And + 1?"
    assert trace["meta"] == {"source": "chat", "id": "c1"}


@pytest.mark.parametrize(
    ("messages", "loc", "code"),
    [
        ("text", ("messages",), "wrong_type"),
        ([], ("messages",), "wrong_type"),
        ([USER, 3], ("messages", 1), "wrong_type"),
        ([USER, {"role": "assistant"}], ("messages", 1, "content"), "missing_field"),
        ([USER, {"role": "tool", "content": "x"}], ("messages", 1, "role"), "unknown_role"),
        ([USER], ("messages", 0, "role"), "wrong_order"),
        ([USER, assistant("2")], ("messages", 1, "content"), "missing_field"),
        ([USER, assistant("<think> \n </think>2")], ("messages", 1, "content"), "missing_field"),
        ([USER, assistant("<think>a")], ("messages", 1, "content"), "missing_field"),
        ([USER, assistant("<think>a</think><answer>2")], ("messages", 1, "content"), "missing_field"),
        ([USER, assistant("<think>a</think><think>b</think>2")], ("messages", 1, "content"), "wrong_order"),
        ([USER, assistant("2", reasoning_content=3)], ("messages", 1, "reasoning_content"), "wrong_type"),
        ([assistant("<think>a</think>2")], ("messages",), "missing_field"),
    ],
)
def test_a_conversation_that_is_no_trace_is_refused_with_its_place(messages, loc, code):
    fault = fault_of({"messages": messages}, "messages")
    assert (fault.loc, fault.type) == (loc, code)


def test_a_row_that_is_no_object_or_breaks_a_rule_is_told_with_its_line():
    results = list(read(b"\n".join([json.dumps(TRACE).encode(), b"[1]", json.dumps(TRACE | {"prompt": ""}).encode()])))
    assert results[0] == (1, TRACE)
    assert [(line, result.faults[0].type, result.faults[0].line) for line, result in results[1:]] == [
        (2, "not_object", 2),
        (3, "empty", 3),
    ]


def test_a_json_list_is_read_too_and_its_faults_begin_with_the_index():
    results = list(read(json.dumps([TRACE, TRACE | {"meta": 3}], indent=1).encode()))
    assert results[0][1] == TRACE
    assert results[1][1].faults[0].loc == (1, "meta")


def test_the_first_object_decides_the_format_of_the_whole_file():
    rows = [*GSM8K.read_bytes().splitlines()[:1], json.dumps(TRACE).encode()]
    results = list(read(b"\n".join(rows)))
    assert isinstance(results[0][1], dict)
    assert results[1][1].faults[0].loc == ("answer",)


def test_an_unknown_format_is_refused_before_a_row_is_read():
    with pytest.raises(Invalid, match="choose one of auto, trace, messages, gsm8k"):
        read(b"{}", format="csv")


@given(
    st.dictionaries(st.sampled_from(["messages", "question", "answer", "prompt", "steps"]), st.text() | st.integers())
)
def test_any_object_becomes_a_trace_or_is_refused(obj):
    for format in FORMATS:
        with suppress(Invalid):
            read_trace(to_trace(obj, format, source="file"))


TURNS = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "user", "assistant"]),
        "content": st.lists(
            st.sampled_from(["<think>", "</think>", "<reasoning>", "</reasoning>", "<answer>", "</answer>", "a", "\n"])
        ).map("".join),
    }
)


@given(st.lists(TURNS, max_size=4))
def test_any_conversation_becomes_a_trace_or_is_refused(turns):
    with suppress(Invalid):
        assert "think>" not in conversation(*turns)["final_answer"]


@given(st.binary(max_size=100))
def test_random_bytes_give_rows_or_faults_and_never_a_crash(data):
    for line, result in read(data):
        assert line >= 1
        assert isinstance(result, Invalid)


WORDS = st.text(st.characters(codec="utf-8", categories=["L"]), min_size=1)


@given(WORDS, st.lists(WORDS, min_size=1, max_size=5), WORDS)
def test_a_worked_answer_means_the_same_in_either_format(prompt, steps, final_answer):
    lines = "\n".join(steps)
    gsm8k = to_trace({"question": prompt, "answer": f"{lines}\n#### {final_answer}"}, "gsm8k", source="s")
    turns = [{"role": "user", "content": prompt}, assistant(f"<think>{lines}</think>{final_answer}")]
    messages = to_trace({"messages": turns}, "messages", source="s")
    for trace in (read_trace(gsm8k), read_trace(messages)):
        assert (trace["prompt"], steps_of(trace), trace["final_answer"]) == (prompt, steps, final_answer)
