"""Words of the templates that are more than a format."""

import time

import pytest
from django.template import Context, Template


def cut(text: str, length: int = 10) -> str:
    return Template(f"{{{{ text|truncatechars:{length} }}}}").render(Context({"text": text}))


@pytest.mark.parametrize(
    ("text", "shown"),
    [("0123456789", "0123456789"), ("0123456789a", "012345678…"), ("", ""), (12345678901, "123456789…")],
)
def test_a_text_is_cut_to_a_number_of_characters(text, shown):
    assert cut(text) == shown


def test_what_is_cut_is_escaped():
    assert cut("<script>alert(1)</script>") == "&lt;script&gt;a…"


def test_marks_count_as_characters_and_many_of_them_are_cut_at_once():
    began = time.process_time()
    assert cut("a" + "\u0301\u0323" * 100_000) == "a" + "\u0301\u0323" * 4 + "…"
    assert time.process_time() - began < 5  # the square of 200,000 takes minutes
