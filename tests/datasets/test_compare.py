"""Two versions of a dataset beside each other: as a service, a page, over HTTP and from the command line."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from datasets_app import services
from datasets_app.models import Dataset, DatasetItem
from tests.factories import make_payload, make_trace, make_traces, store
from training.errors import Invalid
from tunixrt.lib.errors import Conflict, NotFound

pytestmark = pytest.mark.django_db


def build(version, **request):
    fields = {"dataset_name": "set", "dataset_version": version, "seed": 1, "selection_strategy": "all"}
    return services.build_dataset(request=fields | request, by=None)[0]


@pytest.fixture
def versions():
    """A version, and one with two traces more, two less, one that says what a gone one said, and one split changed."""
    traces = make_traces(8, meta={"source": "a"})
    base = build("1", filters={"source": "a"})
    again = store([traces[0].payload | {"meta": {"source": "b"}}])
    fresh = make_trace("Something new?", meta={"source": "b"})
    other = build("2", limit=20, recipe="answer_only_v1")
    DatasetItem.objects.filter(dataset=other, trace__in=traces[:2]).delete()
    Dataset.objects.filter(pk=other.pk).update(trace_count=8)
    moved = DatasetItem.objects.get(dataset=other, trace=traces[5])
    split = next(name for name in ("train", "valid", "test") if name != moved.split)
    DatasetItem.objects.filter(pk=moved.pk).update(split=split)
    return (
        base,
        Dataset.objects.get(pk=other.pk),
        {"gone": traces[:2], "again": again[0], "fresh": fresh, "moved": moved},
    )


def ids(comparison, kind):
    return {item.trace_id for item in comparison.rows(kind)}


def test_rows_are_told_apart_by_what_became_of_them(versions):
    base, other, made = versions
    found = services.compare_datasets(base=base, other=other)
    assert found.counts == {"kept": 5, "added": 2, "removed": 2, "changed_split": 1, "same_content": 1}
    assert ids(found, "added") == {made["again"].pk, made["fresh"].pk}
    assert ids(found, "removed") == {trace.pk for trace in made["gone"]}
    assert ids(found, "changed_split") == {made["moved"].trace_id}
    assert ids(found, "same_content") == {made["again"].pk}


def test_a_row_says_what_is_known_of_it_in_the_opposite_dataset(versions):
    base, other, made = versions
    found = services.compare_datasets(base=base, other=other)
    rows = {kind: [services.compared_row(item) for item in found.rows(kind)] for kind in services.KINDS}
    before = DatasetItem.objects.get(dataset=base, trace=made["moved"].trace_id)
    assert rows["changed_split"][0]["split_there"] == before.split != rows["changed_split"][0]["split"]
    gone = DatasetItem.objects.get(dataset=base, trace=made["gone"][0])
    assert {row["id"]: row["same_at"] for row in rows["added"]} == {
        str(made["again"].pk): gone.position,
        str(made["fresh"].pk): None,
    }
    assert rows["same_content"] == [row for row in rows["added"] if row["id"] == str(made["again"].pk)]
    here = DatasetItem.objects.get(dataset=other, trace=made["again"])
    assert [row["same_at"] for row in rows["removed"]] == [here.position, None]
    assert rows["added"][0]["prompt"] == made["again"].prompt


def test_what_was_asked_for_otherwise_is_told_field_by_field(versions):
    base, other, _ = versions
    differences = {d.name: (d.base, d.other) for d in services.compare_datasets(base=base, other=other).differences}
    assert differences["filters.source"] == ("a", None)
    assert differences["limit"] == (1_000_000, 20)
    assert differences["recipe"] == ("trace_sft_v1", "answer_only_v1")
    assert not differences.keys() & {"seed", "dataset_name", "dataset_version", "selection_strategy"}


def test_the_same_rows_under_two_names_differ_in_nothing():
    make_traces(5)
    base, other = build("1"), build("2")
    found = services.compare_datasets(base=base, other=other)
    assert found.to_dict()["same_bytes"]
    assert found.counts == {"kept": 5, "added": 0, "removed": 0, "changed_split": 0, "same_content": 0}
    assert found.differences == []


class ManyPairs(TestCase):
    """Counts and rows of any two datasets agree with what sets of ids say."""

    @classmethod
    def setUpTestData(cls):
        payloads = [make_payload(f"What is {n % 6}?") for n in range(10)]  # four say what others say
        cls.traces = store(payloads)
        cls.datasets = [
            Dataset.objects.create(
                key=f"set-{n}", name="set", version=str(n), status="frozen", request={}, seed=0, recipe="trace_sft_v1"
            )
            for n in (1, 2)
        ]

    @settings(max_examples=40)
    @given(*[st.dictionaries(st.integers(0, 9), st.sampled_from(["train", "test"]))] * 2)
    def test_any_two(self, one, two):
        for dataset, members in zip(self.datasets, (one, two), strict=True):
            dataset.items.all().delete()
            dataset.trace_count = len(members)
            DatasetItem.objects.bulk_create(
                DatasetItem(dataset=dataset, position=place, trace=self.traces[n], split=split)
                for place, (n, split) in enumerate(members.items())
            )
        found = services.compare_datasets(base=self.datasets[0], other=self.datasets[1])
        said = {n % 6 for n in one}
        expected = {
            "added": {n for n in two if n not in one},
            "removed": {n for n in one if n not in two},
            "changed_split": {n for n in two if n in one and one[n] != two[n]},
            "same_content": {n for n in two if n not in one and n % 6 in said},
        }
        names = {trace.pk: n for n, trace in enumerate(self.traces)}
        assert {kind: {names[pk] for pk in ids(found, kind)} for kind in services.KINDS} == expected
        kept = sum(one.get(n) == split for n, split in two.items())
        assert found.counts == {"kept": kept, **{kind: len(rows) for kind, rows in expected.items()}}


def test_only_two_frozen_datasets_are_compared():
    make_traces(2)
    base = build("1")
    other = Dataset.objects.create(key="set-2", name="set", version="2", request={}, seed=0, recipe="trace_sft_v1")
    with pytest.raises(Conflict, match="set-2 is building"):
        services.compare_datasets(base=base, other=other)
    with pytest.raises(Invalid, match="is the base itself"):
        services.compare_datasets(base=base, other=base)
    found = services.compare_datasets(base=base, other=build("3", limit=1, selection_strategy="latest"))
    with pytest.raises(Invalid, match="must be one of added"):
        found.rows("lost")
    with pytest.raises(NotFound):
        services.named_dataset("set-9", "base")


def test_the_api_gives_counts_and_a_window_of_one_kind(api, versions):
    found = api.get("/api/datasets/compare?base=set-1&other=set-2&limit=1").json()
    assert found["counts"]["added"] == 2
    assert (found["base"]["dataset_key"], found["other"]["dataset_key"], found["kind"]) == ("set-1", "set-2", "added")
    assert len(found["data"]) == 1
    cursor = found["pagination"]["next_cursor"]
    following = api.get(f"/api/datasets/compare?base=set-1&other=set-2&limit=1&cursor={cursor}").json()
    assert len(following["data"]) == 1
    assert following["data"][0]["position"] > found["data"][0]["position"]
    moved = api.get("/api/datasets/compare?base=set-1&other=set-2&kind=changed_split").json()["data"]
    assert moved[0]["split_there"] != moved[0]["split"]


@pytest.mark.parametrize(
    ("query", "status", "place"),
    [
        ("other=set-2", 422, "base"),
        ("base=set-1&other=../etc", 422, "other"),
        ("base=set-1&other=set-9", 404, None),
        ("base=set-1&other=set-1", 422, "other"),
        ("base=set-1&other=set-2&kind=lost", 422, "kind"),
        ("base=set-1&other=set-2&sort=up", 422, "sort"),
        ("base=set-1&other=set-2&cursor=x", 422, "cursor"),
    ],
)
def test_the_api_says_what_is_wrong_with_a_question(api, versions, query, status, place):
    answer = api.get(f"/api/datasets/compare?{query}")
    assert answer.status_code == status
    assert [error["loc"][0] for error in answer.json()["errors"]] == ([place] if place else [])


def test_the_page_shows_both_sides_and_the_rows_of_a_kind(client_in, versions):
    page = client_in.get("/datasets/compare/?base=set-1&other=set-2").content.decode()
    assert 'name="base" value="set-1"' in page
    assert 'name="other" value="set-2"' in page
    assert "added (2)" in page
    assert "Something new?" in page
    assert "filters.source" in page
    page = client_in.get("/datasets/compare/?base=set-1&other=set-2&kind=removed").content.decode()
    assert "Rows only in the base" in page
    assert "another trace" in page


def test_the_page_asks_for_two_datasets_and_says_what_is_wrong(client_in, versions):
    page = client_in.get("/datasets/compare/?base=set-1")
    assert page.status_code == 200
    assert b'name="base" value="set-1"' in page.content
    assert b'<option value="set-2">' in page.content
    for query in (
        "base=set-1&other=set-9",
        "base=set-1&other=%00",
        "base=set-1&other=set-2&kind=x",
        "base=<b>&other=-",
    ):
        answer = client_in.get(f"/datasets/compare/?{query}")
        assert answer.status_code == 422
        assert b'role="alert"' in answer.content


def test_the_cost_of_a_page_does_not_grow_with_its_rows(client_in, django_assert_num_queries):
    make_traces(30)
    build("1", limit=1, selection_strategy="latest")
    build("2")
    with django_assert_num_queries(11):
        client_in.get("/datasets/compare/?base=set-1&other=set-2")


def test_the_command_prints_what_the_service_finds(versions):
    out = StringIO()
    call_command("compare_datasets", "set-1", "set-2", "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert found["counts"]["same_content"] == len(found["rows"]["same_content"]) == 1
    out = StringIO()
    call_command("compare_datasets", "set-1", "set-2", "--rows", "0", stdout=out)
    assert out.getvalue().splitlines()[1] == "5 kept, 2 added, 2 removed, 1 changed split, 1 same content"
