"""Each format's rows become traces whole, and what cannot become one is refused with its place."""

import io
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.canonical import content_sha256
from training.errors import Invalid
from training.formats import FORMATS, detect_format, read_traces, to_trace
from training.renderers import plain_prompt, plain_response
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


def test_the_first_object_of_a_known_shape_decides_the_format_of_the_whole_file():
    rows = [b"3", b'{"url": "x"}', *GSM8K.read_bytes().splitlines()[:1], json.dumps(TRACE).encode()]
    reader = read(b"\n".join(rows))
    results = [result for _, result in reader]
    assert [type(result) for result in results] == [Invalid, Invalid, dict, Invalid]
    assert results[3].faults[0].loc == ("answer",)
    assert reader.format == "gsm8k"


def test_a_file_without_a_known_shape_is_judged_as_traces_and_keeps_its_format_open():
    reader = read(b'{"url": "x"}\n{}')
    assert {fault.type for _, result in reader for fault in result.faults} == {"unknown_field", "missing_field"}
    assert reader.format is None


def test_an_unknown_format_is_refused_before_a_row_is_read():
    with pytest.raises(Invalid, match="choose one of auto, trace, messages, gsm8k"):
        read(b"{}", format="csv")


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_the_example_of_a_format_is_detected_and_becomes_a_trace(format):
    row = json.loads(format.example)
    assert detect_format(row) == format.name
    trace = read_trace(to_trace(row, format.name, source="file"))
    assert len(trace["steps"]) >= 1
    assert trace["final_answer"] in format.example


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_the_mapping_of_a_format_names_every_part_of_a_trace(format):
    columns, parts = zip(*format.mapping, strict=True)
    assert len(set(columns)) == len(columns)
    assert {"prompt", "steps", "final_answer", "meta"} <= set(parts) <= {*TRACE}
    assert all(any(column.startswith(field) for column in columns) for marks in format.marks for field in marks)


@pytest.mark.parametrize("format", FORMATS)
def test_what_a_row_holds_beyond_its_format_is_kept_in_meta(format):
    row = json.loads(FORMATS[format].example)
    if format == "trace":
        row["meta"] |= {"url": "x"}
    else:
        row["url"] = "x"
    assert read_trace(to_trace(row, format, source="file"))["meta"]["url"] == "x"


@pytest.mark.parametrize(
    ("text", "steps", "answer"),
    [
        ("<think>a\nb</think>c", ["a", "b"], "c"),
        ("<reasoning>a\nb</reasoning><answer> c </answer>", ["a", "b"], "c"),
        ("a\nb\n<answer>c</answer>", ["a", "b"], "c"),
        ("a\nb\nAnswer: c", ["a", "b"], "c"),
        ("a\nb\n**Final answer:** c", ["a", "b"], "c"),
        ("a\nb\nFINAL ANSWER:\nc", ["a", "b"], "c"),
        ("a\nb\nAnswer: c\nd", ["a", "b"], "c\nd"),
        ("a\n#### b\n#### c", ["a", "#### b"], "c"),
        ("#### a\nb\n\nc", ["#### a", "b"], "c"),
        ("Reasoning:\n1. a\n2. b\nAnswer: c", ["a", "b"], "c"),
        ("Reasoning:\n1. 3. a\n   more\n2. b\nAnswer: c\nAnswer: d", ["3. a\n   more", "b"], "c\nAnswer: d"),
        ("Reasoning:\na\nb\nc", ["a", "b"], "c"),
        ("1. a\n2) b\n\n  c  ", ["a", "b"], "c"),
        ("<think> \n</think>a\nb\nc", ["a", "b"], "c"),
    ],
)
@pytest.mark.parametrize("format", ["messages", "prompt_completion", "sharegpt", "alpaca"])
def test_a_response_is_split_the_same_way_in_every_format(format, text, steps, answer):
    row = {
        "messages": {"messages": [USER, assistant(text)]},
        "prompt_completion": {"prompt": "1 + 1?", "completion": text},
        "sharegpt": {"conversations": [{"from": "human", "value": "1 + 1?"}, {"from": "gpt", "value": text}]},
        "alpaca": {"instruction": "1 + 1?", "input": "", "output": text},
    }[format]
    trace = read_trace(to_trace(row, format, source="file"))
    assert (trace["prompt"], steps_of(trace), trace["final_answer"]) == ("1 + 1?", steps, answer)
    assert {step["type"] for step in trace["steps"]} == {"reason"}


@pytest.mark.parametrize("text", ["4", "", " \n ", "Answer: 4", "#### 4", "<think></think>4", "Reasoning:\nAnswer: 4"])
def test_a_response_that_shows_no_reasoning_is_refused_with_what_to_do(text):
    fault = fault_of({"prompt": "2 + 2?", "completion": text}, "prompt_completion")
    assert (fault.loc, fault.type) == (("completion",), "missing_field")
    assert "lines of their own before the answer" in fault.msg


def test_a_prompt_and_completion_of_messages_are_one_conversation():
    row = {
        "prompt": [{"role": "system", "content": "Be brief."}, USER],
        "completion": [assistant("a\nb\nAnswer: 2")],
        "split": "train",
    }
    assert detect_format(row) == "prompt_completion"
    trace = read_trace(to_trace(row, "prompt_completion", source="file"))
    assert (trace["prompt"], steps_of(trace), trace["final_answer"]) == ("Be brief.\n\n1 + 1?", ["a", "b"], "2")
    assert trace["meta"] == {"source": "file", "split": "train"}


@pytest.mark.parametrize(
    ("row", "format", "loc", "code"),
    [
        ({"prompt": [USER], "completion": "a"}, "prompt_completion", ("completion",), "wrong_type"),
        ({"prompt": [USER]}, "prompt_completion", ("completion",), "wrong_type"),
        ({"prompt": [3], "completion": [assistant("a")]}, "prompt_completion", ("prompt", 0), "wrong_type"),
        ({"prompt": [USER], "completion": [USER]}, "prompt_completion", ("completion", 0, "role"), "wrong_order"),
        ({"prompt": "a"}, "prompt_completion", ("completion",), "missing_field"),
        ({"prompt": 3, "completion": "a\nb"}, "prompt_completion", ("prompt",), "wrong_type"),
        ({"conversations": []}, "sharegpt", ("conversations",), "wrong_type"),
        ({"conversations": ["a"]}, "sharegpt", ("conversations", 0), "wrong_type"),
        ({"conversations": [{"from": "tool", "value": "a"}]}, "sharegpt", ("conversations", 0, "from"), "unknown_role"),
        ({"conversations": [{"from": "gpt"}]}, "sharegpt", ("conversations", 0, "value"), "missing_field"),
        ({"conversations": [{"from": "gpt", "value": "a\nb"}]}, "sharegpt", ("conversations",), "missing_field"),
        ({"instruction": "a", "input": 3, "output": "b\nc"}, "alpaca", ("input",), "wrong_type"),
        ({"instruction": "a"}, "alpaca", ("output",), "missing_field"),
        ({"prompts": "a", "trace_steps": "b"}, "ungar", ("trace_steps",), "wrong_type"),
        ({"prompts": "a", "trace_steps": []}, "ungar", ("trace_steps",), "wrong_type"),
        ({"prompts": "a", "trace_steps": [3]}, "ungar", ("trace_steps", 0), "wrong_type"),
        ({"prompts": "a", "trace_steps": ["b"]}, "ungar", ("final_answer",), "missing_field"),
        ({"prompts": "a", "trace_steps": ["b"], "metadata": 3}, "ungar", ("metadata",), "wrong_type"),
    ],
)
def test_a_row_that_cannot_be_turned_is_refused_with_its_place(row, format, loc, code):
    fault = fault_of(row, format)
    assert (fault.loc, fault.type) == (loc, code)


def test_an_alpaca_input_follows_its_instruction():
    row = {"instruction": "Add.", "input": "1, 2", "output": "1 + 2 = 3\nAnswer: 3"}
    assert to_trace(row, "alpaca", source="file")["prompt"] == "Add.\n\n1, 2"
    assert to_trace(row | {"input": None}, "alpaca", source="file")["prompt"] == "Add."


def exported(trace: dict) -> dict:
    """A row as the `trace` export writes it."""
    facts = {"created_at": "2026-11-21T00:00:00.000000Z", "trace_version": trace["trace_version"]}
    return {
        "id": "t1",
        "prompts": trace["prompt"],
        "trace_steps": steps_of(trace),
        "final_answer": trace["final_answer"],
        "metadata": (trace["meta"] or {}) | facts,
    }


def test_an_export_that_is_read_back_has_the_same_content_and_keeps_where_it_was():
    trace = TRACE | {"trace_version": "1.1", "meta": {"source": "hand", "id": 7, "tags": ["a"]}}
    back = read_trace(to_trace(exported(trace), "ungar", source="file"))
    assert content_sha256(back) == content_sha256(trace)
    assert back["meta"] == {"source": "hand", "id": 7, "tags": ["a"], "created_at": "2026-11-21T00:00:00.000000Z"}
    assert to_trace(exported(TRACE | {"meta": None}), "ungar", source="file")["meta"]["id"] == "t1"


def test_the_steps_of_an_exported_episode_get_their_types_back():
    trace = to_trace(json.loads(FORMATS["ungar"].example), "ungar", source="file")
    assert [step["type"] for step in trace["steps"]] == ["legal_moves", "observation", "unseen", "decision"]


FIELDS = ["messages", "question", "answer", "prompt", "steps", "completion", "conversations", "instruction", "input"]
FIELDS += ["output", "prompts", "trace_steps", "final_answer", "metadata", "trace_version", "meta", "role", "content"]
FIELDS += ["from", "value", "i", "type"]
WORDY = st.text("ab \n#<>", max_size=8) | st.sampled_from(
    ["user", "gpt", "assistant", "<think>a</think>b", "a\n#### b", "Reasoning:\n1. a\nAnswer: b", "1.0", "\0"]
)
ROWS = st.recursive(
    WORDY | st.integers() | st.none() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | WORDY, inner, max_size=5),
    max_leaves=15,
)


@given(st.lists(ROWS, max_size=4), st.sampled_from(["auto", *FORMATS]), st.booleans())
def test_any_json_through_any_format_gives_whole_traces_or_faults(rows, format, as_list):
    rows = [{}, *rows]  # a first row that is a list would make the file one
    data = json.dumps(rows) if as_list else "\n".join(map(json.dumps, rows))
    results = list(read(data.encode(), format=format))
    assert len(results) == len(rows)
    for line, result in results:
        if isinstance(result, Invalid):
            assert all(fault.line == line for fault in result.faults)
        else:
            assert read_trace(result) == result


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


@given(st.binary(max_size=100), st.sampled_from(["auto", *FORMATS]))
def test_random_bytes_give_faults_and_never_a_crash(data, format):
    for line, result in read(data, format=format):
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


@given(WORDS, st.lists(WORDS, min_size=1, max_size=12), WORDS, st.sampled_from(["", "Show your work"]))
def test_what_we_render_is_read_back_with_the_same_steps(prompt, steps, final_answer, instruction):
    row = {"steps": [{"i": i, "content": step} for i, step in enumerate(steps)], "final_answer": final_answer}
    asked, answered = plain_prompt(prompt, instruction), plain_response(row, "trace_sft_v1")
    pair = {"prompt": asked, "completion": answered}
    turns = {"messages": [{"role": "user", "content": asked}, assistant(answered)]}
    for trace in (to_trace(pair, "prompt_completion", source="s"), to_trace(turns, "messages", source="s")):
        assert (trace["prompt"], steps_of(trace), trace["final_answer"]) == (asked, steps, final_answer)
