"""Each rule of a trace, broken once; and all of them at once."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.canonical import content_sha256, stable_id
from training.errors import Invalid
from training.json_rules import MAX_FAULTS
from training.schema import MAX_STEPS, read_trace, trace_faults

TRACE = {
    "trace_version": "1.0",
    "prompt": "What is 27 × 19?",
    "steps": [
        {"i": 0, "type": "parse", "content": "Multiply 27 by 19."},
        {"i": 1, "type": "compute", "content": "27 × 19 = 513"},
    ],
    "final_answer": "513",
    "meta": {"source": "example"},
}
DEEP: dict = {}
for _ in range(40):
    DEEP = {"in": DEEP}


def broken(loc: tuple, value: object) -> dict:
    """TRACE with another value at `loc`; Ellipsis removes what is there."""
    trace = copy.deepcopy(TRACE)
    target = trace
    for part in loc[:-1]:
        target = target[part]
    if value is ...:
        del target[loc[-1]]
    else:
        target[loc[-1]] = value
    return trace


def faults(obj: object) -> list:
    with pytest.raises(Invalid) as caught:
        read_trace(obj)
    return caught.value.faults


def test_a_sound_trace_is_read_as_it_is():
    assert read_trace(TRACE) == TRACE


def test_steps_are_stored_in_order_of_i_and_missing_meta_as_none():
    trace = broken(("meta",), ...)
    trace["steps"].reverse()
    assert read_trace(trace) == TRACE | {"meta": None}


@pytest.mark.parametrize(
    ("loc", "length"),
    [
        (("trace_version",), 64),
        (("prompt",), 50_000),
        (("final_answer",), 50_000),
        (("steps", 0, "type"), 64),
        (("steps", 0, "content"), 20_000),
    ],
)
def test_lengths_are_counted_in_code_points(loc, length):
    read_trace(broken(loc, "😀" * length))
    (fault,) = faults(broken(loc, "x" * (length + 1)))
    assert (fault.loc, fault.type) == (loc, "too_long")
    assert str(length) in fault.msg


@pytest.mark.parametrize("loc", [("trace_version",), ("prompt",), ("final_answer",), ("steps", 1, "content")])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        (..., "missing_field"),
        (None, "wrong_type"),
        (7, "wrong_type"),
        (True, "wrong_type"),
        (["x"], "wrong_type"),
        ({}, "wrong_type"),
        ("", "empty"),
        (" \n\t\u00a0", "empty"),
        ("a\0b", "nul_character"),
        ("a\ud800b", "lone_surrogate"),
    ],
)
def test_a_text_field_that_breaks_a_rule_is_named(loc, value, code):
    (fault,) = faults(broken(loc, value))
    assert (fault.loc, fault.type) == (loc, code)


@pytest.mark.parametrize(
    ("loc", "value", "code", "at"),
    [
        (("steps",), ..., "missing_field", ("steps",)),
        (("steps",), {}, "wrong_type", ("steps",)),
        (("steps",), [], "empty", ("steps",)),
        (("steps", 1), "text", "wrong_type", ("steps", 1)),
        (("steps", 1, "i"), ..., "missing_field", ("steps", 1, "i")),
        (("steps", 1, "i"), True, "wrong_type", ("steps", 1, "i")),
        (("steps", 1, "i"), 1.0, "wrong_type", ("steps", 1, "i")),
        (("steps", 1, "i"), "1", "wrong_type", ("steps", 1, "i")),
        (("steps", 1, "i"), -1, "number_out_of_range", ("steps", 1, "i")),
        (("steps", 1, "i"), 2**63, "number_out_of_range", ("steps", 1, "i")),
        (("steps", 1, "i"), 0, "duplicate_step", ("steps", 1, "i")),
        (("steps", 1, "extra"), 1, "unknown_field", ("steps", 1, "extra")),
        (("promt",), "x", "unknown_field", ("promt",)),
        (("meta",), [], "wrong_type", ("meta",)),
        (("meta",), "x", "wrong_type", ("meta",)),
        (("meta", "a"), {"b": [0, float("nan")]}, "non_finite", ("meta", "a", "b", 1)),
        (("meta", "a"), float("inf"), "non_finite", ("meta", "a")),
        (("meta", "a"), 2**63, "number_out_of_range", ("meta", "a")),
        (("meta", "a"), ["\0"], "nul_character", ("meta", "a", 0)),
        (("meta", "k\0"), 1, "nul_character", ("meta", "'k\\x00'")),
        (("meta", "k\ud800"), 1, "lone_surrogate", ("meta", "'k\\ud800'")),
        (("meta", "a"), DEEP, "too_deep", ("meta", "a") + ("in",) * 30),
        (("meta", "a"), {1: 2}, "wrong_type", ("meta", "a", "1")),
        (("meta", "a"), {"x"}, "wrong_type", ("meta", "a")),
        (("meta", "a"), {str(n): n for n in range(257)}, "too_many_keys", ("meta", "a")),
    ],
)
def test_a_structure_that_breaks_a_rule_is_named(loc, value, code, at):
    (fault,) = faults(broken(loc, value))
    assert (fault.type, fault.loc) == (code, at)


def test_the_number_of_steps_is_bounded():
    steps = [{"i": i, "type": "t", "content": "c"} for i in range(MAX_STEPS + 1)]
    read_trace(broken(("steps",), steps[:-1]))
    (fault,) = faults(broken(("steps",), steps))
    assert (fault.loc, fault.type) == (("steps",), "too_long")


@pytest.mark.parametrize("obj", [None, [], "text", 7, True])
def test_what_is_no_object_is_no_trace(obj):
    (fault,) = faults(obj)
    assert (fault.loc, fault.type) == ((), "not_object")


def test_every_fault_is_listed_and_unknown_fields_are_named():
    found = faults({"answer": "x", "prompt": "", "steps": [{"i": 0}, {"i": 0, "type": 3, "content": "c"}], "meta": 3})
    assert {(fault.loc, fault.type) for fault in found} == {
        (("answer",), "unknown_field"),
        (("trace_version",), "missing_field"),
        (("prompt",), "empty"),
        (("steps", 0, "type"), "missing_field"),
        (("steps", 0, "content"), "missing_field"),
        (("steps", 1, "i"), "duplicate_step"),
        (("steps", 1, "type"), "wrong_type"),
        (("final_answer",), "missing_field"),
        (("meta",), "wrong_type"),
    }
    assert "'answer'" in found[0].msg


def test_a_hostile_trace_gives_a_bounded_list_of_faults():
    assert len(faults(broken(("meta", "a"), ["\0"] * 10_000))) == MAX_FAULTS


def test_a_message_never_repeats_a_long_input():
    assert len(str(Invalid(faults(broken(("x" * 10_000,), 1))))) < 300


def test_ids_follow_content_and_index_and_not_meta():
    other = TRACE | {"meta": None}
    assert content_sha256(TRACE) == content_sha256(other)
    assert stable_id(TRACE, 0) == stable_id(other, 0) != stable_id(TRACE, 1)
    assert str(stable_id(TRACE, 0)) == "cc4beaac-b1e1-5746-8d16-8d1a5a267c8d"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[]))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=10
)
STEPS = st.lists(st.fixed_dictionaries({}, optional={"i": VALUES, "type": VALUES, "content": VALUES}) | VALUES)


@given(
    VALUES
    | st.fixed_dictionaries(
        {}, optional={"trace_version": VALUES, "prompt": VALUES, "steps": STEPS, "final_answer": VALUES, "meta": VALUES}
    )
)
def test_any_value_is_a_sound_trace_or_has_faults_that_can_be_shown(obj):
    found = list(trace_faults(obj))
    assert json.dumps([fault.to_dict() for fault in found], ensure_ascii=False).encode()
    if not found:
        assert read_trace(obj)["prompt"] == obj["prompt"]


PLACES = [*((name,) for name in TRACE), ("other",), ("steps", 1), *(("steps", 1, name) for name in TRACE["steps"][0])]


@given(st.sampled_from([*PLACES, ("steps", 0, "i"), ("steps", 1, "other")]), VALUES | st.just(...))
def test_a_trace_is_taken_exactly_when_it_has_no_fault(loc, value):
    obj = broken(loc, value) if value is not ... or loc[-1] != "other" else TRACE
    if list(trace_faults(obj)):
        with pytest.raises(Invalid):
            read_trace(obj)
    else:
        assert read_trace(obj)["prompt"] == obj["prompt"]


TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1).filter(lambda text: text.strip())


@given(TEXTS, st.lists(TEXTS, min_size=1), TEXTS, st.randoms())
def test_what_was_read_reads_again_as_the_same(prompt, contents, final_answer, rng):
    steps = [{"i": i, "type": "t", "content": content} for i, content in enumerate(contents)]
    rng.shuffle(steps)
    trace = {"trace_version": "1.0", "prompt": prompt, "steps": steps, "final_answer": final_answer}
    payload = read_trace(trace)
    assert [step["content"] for step in payload["steps"]] == contents
    assert read_trace(json.loads(json.dumps(payload))) == payload
