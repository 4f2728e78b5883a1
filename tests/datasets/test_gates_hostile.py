"""Any rows, cut into any chunks, and rows made to hold gates up."""

import json
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_app.gates import GATES, WARN, open_gates
from datasets_app.surveys import ContentSurvey, TokenSurvey
from tests.datasets.rows import make_row, taught_by, texts

LONG = 50_000
BOMBS = {
    "addresses": "aaaa@aaaa." * (LONG // 10),
    "at": "@" * LONG,
    "schemes": "://a:b@" * (LONG // 7),
    "digits": "1" * LONG,
    "tokens": "sk-eyJghp_." * (LONG // 11),
    "passwords": "password=password:" * (LONG // 18),
    "keys": "-----BEGIN PRIVATE KEY" * (LONG // 22),
    "invisible": "\u200b" * LONG,
    "marks": "e" + "\u0301" * (LONG - 1),
    "scripts": "".join(chr(0x400 + n % 0x900) for n in range(LONG)),
    "lines": "Answer:\n1. \n" * (LONG // 12),
    "tags": "<answer></answer>" * (LONG // 17),
    "spaces": " \n" * (LONG // 2),
    "emoji": "😀" * LONG,
    "dots": "." * LONG,
    "labels": "a@" + "b-" * (LONG // 2 - 1),
}
ROWS = st.builds(
    make_row,
    st.text(texts() | st.sampled_from("aA1@. \n<"), max_size=12),
    st.lists(st.text(texts() | st.sampled_from("aA1@. \n<"), max_size=8), max_size=3),
    st.sampled_from(["4", "4.0", "five", " "]),
    row_id=st.uuids().map(str),
    meta=st.none() | st.dictionaries(st.text(texts()), st.text(texts()) | st.floats(allow_nan=False), max_size=2),
)


@settings(max_examples=50)
@given(st.lists(ROWS, min_size=1, max_size=30), st.lists(st.integers(1, 10), min_size=1, max_size=30))
def test_chunks_change_nothing(rows, sizes):
    assert passed([rows]) == passed(list(chunks(rows, sizes)))


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("place", ["prompt", "steps", "meta"])
def test_hostile_rows_are_passed_in_time_that_grows_with_their_length(bomb, place):
    row = make_row(**{place: {"steps": [BOMBS[bomb]], "meta": {"a": BOMBS[bomb]}}.get(place, BOMBS[bomb])})
    taught = taught_by([make_row()])
    for name, gate in GATES.items():
        opened, began = gate(taught), process_time()
        opened.look([row] * 2)
        json.dumps(opened.result(WARN))
        assert process_time() - began < 2, name


def test_a_million_digits_are_passed_in_a_moment():
    row, began = make_row("1" * 1_000_000), process_time()
    passed([[row]])
    assert process_time() - began < 10


def passed(parts):
    """All results and figures for rows in these chunks."""
    taught = taught_by([make_row()], max_length=64)
    gates, surveys = open_gates(taught), [ContentSurvey(), TokenSurvey(taught)]
    for rows in parts:
        for reader in (*gates, *surveys):
            reader.look(rows) if reader in gates else reader.add(rows)
    return [gate.result(WARN) for gate in gates] + [survey.stats() for survey in surveys]


def chunks(rows, sizes):
    start = 0
    for size in [*sizes, len(rows)]:
        if start < len(rows):
            yield rows[start : start + size]
            start += size
