"""The full-text search: one meaning on both databases."""

import re
import unicodedata

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import make_trace
from traces.models import Trace
from traces.words import MAX_WORDS, words_asked, words_of

pytestmark = pytest.mark.django_db


def found(search: str) -> set:
    return set(Trace.objects.search(search))


def test_every_word_must_occur_and_the_last_may_be_only_begun():
    ottawa = make_trace("Ottawa is cold", steps=["it snows"], final_answer="yes")
    quito = make_trace("Quito is high", steps=["it snows up there"], final_answer="no")
    assert found("snows") == found("is SNOWS") == found("sno") == {ottawa, quito}
    assert found("cold snow") == found("snows yes") == found("ottaw") == {ottawa}
    assert found("ottaw cold") == found("cold quito") == found("nows") == set()


def test_words_have_no_case_and_no_spelling_of_unicode_in_any_script():
    trace = make_trace("Straße in ＡＢＣ, Ärger über ①", steps=["日本語 ok"], final_answer="27×19=513")
    for search in ("STRASSE", "abc", "ärger", "A\u0308RGER", "1", "日本", "27 19 513", "über 日本語"):
        assert found(search) == {trace}, search


@pytest.mark.parametrize("search", ["", "  ", "×", "?!", "\0", "***", "' OR 1=1 --·"])
def test_a_search_is_never_a_piece_of_a_query(search):
    make_trace("What is 27 × 19?")
    assert found(search) == set()


@pytest.mark.parametrize(
    "search", ['"', "NEAR(a b)", "a OR b", "a AND", "-a", "a*", "col:a", "'a' & !'b'", "a:*", "\\"]
)
def test_operators_of_the_databases_are_plain_words(search):
    make_trace("x a y", steps=["near b or and col"], final_answer="z")
    expected = bool(words_asked(search)) and all(
        any(word.startswith(asked) for word in ("x", "a", "y", "near", "b", "or", "and", "col", "z"))
        for asked in words_asked(search)
    )
    assert bool(found(search)) == expected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40))
def test_every_text_is_found_by_its_own_words(text):
    if not words_asked(text):
        return
    trace = make_trace("x" + "y", steps=[f"so {text}"])
    assert trace in found(text)
    assert trace in found(words_asked(text)[0])


def test_a_deleted_trace_is_not_found_and_its_place_can_be_used_again():
    gone, kept = make_trace("zebra one"), make_trace("zebra two")
    gone.delete()
    assert found("zebra") == {kept}
    again = make_trace("zebra three")
    assert found("zebra") == {kept, again}


def test_a_very_long_trace_is_found_by_the_words_it_begins_with():
    text = " ".join(f"w{number}" for number in range(3 * MAX_WORDS))
    trace = make_trace("long", steps=[text[i : i + 20_000] for i in range(0, len(text), 20_000)])
    assert found("w17") == {trace}
    assert len(words_of([text]).split()) == MAX_WORDS
    assert words_of(["x" * 100]) == f"{'x' * 40} {'x' * 20}"
    assert len(words_of(["\U0001f600 " + "𝒳" * 39 + str(i) for i in range(MAX_WORDS)]).encode()) < 2**20


def test_the_search_asks_the_index():
    make_trace("zebra")
    plan = Trace.objects.search("zebra").explain()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = Trace.objects.search("zebra").explain()
        assert "trace_by_words" in plan
    else:
        assert "traces_search" in plan or "SEARCH traces_trace" in plan


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_a_word_is_a_run_of_letters_digits_and_underscores(text):
    runs = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    words = [run[at : at + 40] for run in runs for at in range(0, len(run), 40)]
    assert words_of([text]) == " ".join(dict.fromkeys(words))
    assert words_asked(text) == list(dict.fromkeys(words))
