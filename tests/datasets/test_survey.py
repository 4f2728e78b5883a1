"""Figures and checks of a build."""

import pytest

from datasets_app.rows import row_of
from datasets_app.survey import Survey
from tests.factories import make_payload


def survey(*payloads):
    seen = Survey()
    for number, payload in enumerate(payloads):
        seen.add(row_of(f"id-{number}", "train", payload), payload)
    return seen


def check(seen, name):
    return next(gate for gate in seen.gates() if gate["check"] == name)


def test_two_answers_to_one_prompt_are_found_however_it_is_spelled():
    seen = survey(
        make_payload("Two plus two?", final_answer="4"),
        make_payload("  two PLUS two?", final_answer="5"),
        make_payload("Two plus two?", final_answer=" 4 "),
    )
    assert check(seen, "no prompt has two answers") == {
        "check": "no prompt has two answers",
        "result": "found",
        "count": 1,
        "rows": ["id-1"],
    }
    assert seen.stats()["conflicting_prompts"] == 1


def test_a_row_is_there_twice_when_its_content_is_whatever_its_meta():
    seen = survey(make_payload(meta={"a": 1}), make_payload(meta=None), make_payload(steps=3))
    assert check(seen, "no row is there twice")["rows"] == ["id-1"]


def test_an_empty_step_is_found():
    assert check(survey(make_payload(steps=["a", " "])), "no step is empty")["count"] == 1


def test_ten_rows_are_named_and_all_are_counted():
    found = check(survey(*[make_payload()] * 15), "no row is there twice")
    assert (found["count"], len(found["rows"])) == (14, 10)


def test_lengths_and_sources_are_measured():
    stats = survey(
        make_payload("ab", steps=["x", "xyz"], final_answer="1", meta={"source": "b"}),
        make_payload("abcd", steps=["x"], final_answer="12", meta={"source": 7}),
        make_payload("abc", steps=["x"], final_answer="1", meta={"source": "b"}),
    ).stats()
    assert stats["sources"] == [{"source": "b", "rows": 2}, {"source": "", "rows": 1}]
    assert stats["steps"] == {"min": 1, "mean": 1.3, "max": 2}
    assert stats["characters"]["prompt"] == {"min": 2, "mean": 3.0, "max": 4}
    assert stats["characters"]["step"] == {"min": 1, "mean": 1.5, "max": 3}


@pytest.mark.parametrize("splits", [["train"], ["valid", "test", "train", "train"]])
def test_every_split_is_counted(splits):
    seen = Survey()
    for number, split in enumerate(splits):
        seen.add(row_of(str(number), split, make_payload()), make_payload())
    counts = seen.splits()
    assert counts.pop("rule").startswith("SHA-256")
    assert counts == {name: splits.count(name) for name in ("train", "valid", "test")}
