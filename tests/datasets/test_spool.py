"""Rows on their way into a dataset."""

import json
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from datasets_app.pipeline.spool import Spool, read_content
from datasets_app.rows import line_of, row_of
from tests.factories import make_payload
from training.canonical import canonical_json

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
metas = st.none() | st.dictionaries(texts, values, max_size=4)
payloads = st.builds(make_payload, texts, steps=st.lists(texts, min_size=1, max_size=3), final_answer=texts, meta=metas)
splits = st.sampled_from(["train", "valid", "test"])


@given(st.lists(st.tuples(payloads, splits), max_size=5))
def test_lines_are_byte_for_byte_what_the_standard_library_writes(tmp_path_factory, rows):
    with Spool(tmp_path_factory.mktemp("spool") / "rows") as spool:
        for number, (payload, _) in enumerate(rows):
            spool.add(UUID(int=number), read_content(canonical_json(payload)))
        lines = list(spool.lines(split for _, split in rows))
        prompts = spool.prompts(range(len(rows))[::-1])
    expected = [line_of(row_of(UUID(int=i), split, payload)) for i, (payload, split) in enumerate(rows)]
    assert [line.decode() for line in lines] == expected
    assert prompts == [payload["prompt"] for payload, _ in rows][::-1]
    assert all(json.loads(line)["split"] == split for line, (_, split) in zip(lines, rows, strict=True))
