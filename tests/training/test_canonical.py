"""The quick spelling is the standard library's, byte for byte."""

import json
import sys

from hypothesis import given
from hypothesis import strategies as st

from training.canonical import canonical_json, content_sha256, sha256_hex, spelled
from training.schema import read_trace

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40).filter(
    lambda text: not text.isspace()
)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
PAYLOADS = st.fixed_dictionaries(
    {
        "trace_version": TEXTS,
        "prompt": TEXTS,
        "final_answer": TEXTS,
        "steps": st.lists(
            st.fixed_dictionaries({"i": st.integers(0, 2**63 - 1), "type": TEXTS, "content": TEXTS}),
            min_size=1,
            max_size=4,
            unique_by=lambda step: step["i"],
        ),
        "meta": st.none() | st.dictionaries(TEXTS, JSON, max_size=4),
    }
).map(read_trace)


@given(PAYLOADS)
def test_any_trace_is_spelled_as_its_parts_are(payload):
    assert spelled(payload) == (canonical_json(payload), content_sha256(payload))


def test_every_character_is_spelled_as_the_standard_library_does():
    characters = "".join(map(chr, (*range(1, 0xD800), *range(0xE000, sys.maxunicode + 1))))
    payload = {
        "trace_version": "1.0",
        "prompt": characters,
        "steps": [{"i": 0, "type": "a", "content": characters}],
        "final_answer": characters,
        "meta": None,
    }
    assert spelled(payload)[0] == json.dumps(payload, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def test_a_trace_is_spelled_today_as_it_was_when_its_hash_was_first_written_down():
    payload = {
        "trace_version": "1.0",
        "prompt": "27 × 19?",
        "steps": [{"i": 0, "type": "compute", "content": '27 × 19 = "513"\n'}],
        "final_answer": "513",
        "meta": {"z": 1.0, "a": [1e-7, -0.0]},
    }
    content = (
        '{"final_answer":"513","prompt":"27 × 19?","steps":[{"content":"27 × 19 = \\"513\\"\\n","i":0,'
        '"type":"compute"}],"trace_version":"1.0"}'
    )
    canonical = content.replace(',"prompt"', ',"meta":{"a":[1e-07,-0.0],"z":1.0},"prompt"')
    assert spelled(payload) == (canonical, sha256_hex(content))
