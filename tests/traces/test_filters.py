from datetime import UTC, datetime
from importlib import import_module
from urllib.parse import parse_qsl

import pytest
from django.apps import apps
from django.db import connection

from tests.factories import make_trace
from traces.filters import read_filters, read_query
from traces.forms.filters import spell
from traces.models import Score, Trace
from traces.services import score_traces
from training.errors import Invalid

VALUES = [
    "1",
    1,
    1.5,
    True,
    "true",
    False,
    "false",
    None,
    "null",
    0,
    -7,
    2**62,
    "",
    'say "hi"',
    "naïve 🦉",
    "a\\b",
    "[1]",
]
NAMES = [
    "plain",
    "with space",
    "a.b",
    "a__b",
    'quo"te',
    "it's",
    "1",
    "0",
    "$",
    "[0]",
    "%s",
    "\\",
    "naïve",
    "🦉",
    "x' OR 1=1 --",
]


@pytest.mark.django_db
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_meta_is_compared_with_its_json_type(value):
    for other in [*VALUES, [1], {"a": 1}, [None]]:
        make_trace(meta={"key": other})
    make_trace(meta={"another": value})
    make_trace(meta={"key": [value]})
    make_trace(meta={"key": {"key": value}})
    make_trace(meta=None)
    found = Trace.objects.by_meta("key", value)
    assert [(type(trace.meta["key"]), trace.meta["key"]) for trace in found] == [(type(value), value)]


@pytest.mark.django_db
def test_json_has_one_type_of_number():
    make_trace(meta={"key": 1})
    make_trace(meta={"key": 1.0})
    assert Trace.objects.by_meta("key", 1).count() == Trace.objects.by_meta("key", 1.0).count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("name", NAMES)
def test_names_of_meta_may_hold_anything(name):
    trace = make_trace(meta={name: "x"})
    make_trace(meta={"else": "x"})
    assert list(Trace.objects.matching(read_filters({name: "x"}))) == [trace]


@pytest.mark.django_db
def test_each_filter_narrows_the_list():
    old = make_trace(
        "Ottawa is cold", meta={"source": "book", "tags": ["winter"]}, created_at=datetime(2020, 1, 1, tzinfo=UTC)
    )
    new = make_trace("Quito is high", steps=20, meta={"source": "web"})
    score_traces(traces=Trace.objects.all(), by=None)

    def found(**filters):
        return set(Trace.objects.matching(read_filters(filters)))

    assert found() == {old, new}
    assert found(source="book") == found(tag="winter") == found(q="cold OTTAWA") == {old}
    assert found(created_after="2020-01-02") == found(min_score=40) == found(min_score="40") == {new}
    assert found(q="cold quito") == found(source="book", min_score=40) == set()


def test_filters_come_out_typed():
    read = read_filters({"min_score": "7", "created_after": "2026-01-31", "level": 3, "q": "a b"})
    assert read == {"min_score": 7.0, "created_after": "2026-01-31T00:00:00+00:00", "level": 3, "q": "a b"}
    assert read_filters({"created_after": "2026-01-31T12:00:00+02:00"}) == {
        "created_after": "2026-01-31T10:00:00+00:00"
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_score", "abc"),
        ("min_score", "nan"),
        ("min_score", "1e999"),
        ("min_score", True),
        ("min_score", None),
        ("min_score", [1]),
        ("min_score", 10**400),
        ("created_after", "2026-01-31T12:00:00"),
        ("created_after", "yesterday"),
        ("created_after", "0001-01-01T00:00:00+14:00"),
        ("created_after", 5),
        ("source", ""),
        ("source", 5),
        ("source", "a\0b"),
        ("q", "x" * 1001),
        ("tag", None),
        ("level", [1]),
        ("level", {}),
        ("level", "a\0b"),
        ("level", "\ud800"),
        ("level", 2**63),
        ("level", float("nan")),
        ("a\0b", 1),
        ("", 1),
        ("x" * 201, 1),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(name, value):
    with pytest.raises(Invalid):
        read_filters({name: value})


def test_every_wrong_filter_is_named():
    with pytest.raises(Invalid) as caught:
        read_filters({"min_score": "x", "source": 5, "level": 1})
    assert [fault.loc for fault in caught.value.faults] == [("min_score",), ("source",)]
    with pytest.raises(Invalid):
        read_filters(["source"])


@pytest.mark.django_db
def test_a_score_is_asked_of_the_version_that_is_named():
    old, new = make_trace("old"), make_trace("new")
    Score.objects.create(trace=old, scorer="problem", version="1", score=10, first_wrong=0)
    Score.objects.create(trace=old, scorer="problem", version="2", score=90)
    Score.objects.create(trace=new, scorer="problem", version="1.0-rc", score=50)

    def found(**filters):
        return set(Trace.objects.matching(read_filters({name.replace("__", "."): v for name, v in filters.items()})))

    assert found(**{"score.problem@1.max": 20}) == {old}
    assert found(**{"score.problem.min": 20}) == found(**{"score.problem@2.min": 20}) == {old}
    assert found(**{"score.problem@1.min": 20}) == set()
    assert found(**{"score.problem@1.0-rc.min": 20}) == {new}
    assert found(**{"wrong.problem@1": True}) == found(**{"wrong.problem": False}) == {old}
    assert found(**{"score.problem@1.max": 20, "score.problem@2.min": 80}) == {old}
    assert found(**{"score.problem@3.min": 0}) == set()


@pytest.mark.parametrize("name", ["score.problem@.min", "score.problem@1", "wrong.problem@1.min", "score.none@1.min"])
def test_a_misspelled_scorer_is_no_filter_in_an_address(name):
    with pytest.raises(Invalid):
        read_query({name: "1"})


@pytest.mark.django_db
def test_length_counts_characters_of_prompt_steps_and_answer():
    owl = make_trace("🦉é", steps=["12", "3"], final_answer="x", meta={"long": "y" * 500})
    other = make_trace("x" * 100, steps=["1"], final_answer="1")
    assert (owl.character_count, other.character_count) == (6, 102)
    assert list(Trace.objects.matching(read_filters({"characters.max": 6}))) == [owl]
    assert list(Trace.objects.matching(read_filters({"characters.min": "7", "characters.max": 102}))) == [other]


@pytest.mark.django_db
def test_the_migration_fills_in_the_length_of_what_is_there():
    lengths = {trace.pk: trace.character_count for trace in (make_trace('🦉\u2028"\\', steps=3), make_trace("é"))}
    Trace.objects.update(character_count=0)
    with connection.cursor() as editor:
        editor.connection = connection
        import_module("traces.migrations.0004_length").fill_length(apps, editor)
    assert dict(Trace.objects.values_list("pk", "character_count")) == lengths


def test_every_filter_is_spelled_as_an_address_that_is_read_the_same_again():
    filters = read_filters(
        {
            "source": 'a&b "c"',
            "q": "two words",
            "min_score": 5,
            "created_after": "2026-01-31",
            "tag": "a+b=c",
            "steps.min": 2,
            "steps.max": 9,
            "characters.min": 2,
            "characters.max": 9,
            "import.id": "0190e3a4-0000-7000-8000-000000000000",
            "review.is": "sound",
            "twin.is": True,
            "scorers.disagree": False,
            "score.format.min": 1.5,
            "score.problem@1.max": 7,
            "wrong.arithmetic": True,
            "wrong.arithmetic@1": False,
            "meta.level": "3",
            "meta.score.none": 1,
            "meta.a&b=c": None,
        }
    )
    assert read_query(dict(parse_qsl(spell(filters), keep_blank_values=True))) == filters


@pytest.mark.parametrize("name", ["score.none.min", "sort", "score.format", "plain", "steps"])
def test_a_bare_key_of_meta_is_spelled_as_what_it_means(name):
    again = read_query(dict(parse_qsl(spell(read_filters({name: "x"})))))
    assert again == {f"meta.{name}": "x"}
