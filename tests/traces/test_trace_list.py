"""The list of traces: search, filters, order, and what is done with the traces that were chosen."""

import json
import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.factories import make_trace, make_traces
from traces import services
from traces.models import Score, Tag, Trace
from training.marking import marked

pytestmark = pytest.mark.django_db


def prompts(page) -> list[str]:
    return re.findall(r'aria-label="Tick: ([^"]+)"', page.content.decode())


def do(client, what: str, *traces: Trace, query: str = "", **fields):
    ids = [str(trace.pk) for trace in traces]
    return client.post(f"/traces/bulk/?{query}", {"do": what, "id": ids, **fields}, follow=True)


def test_filters_combine_and_the_address_says_them(client_in):
    make_trace("alpha one", steps=3, meta={"source": "book", "tags": ["x"]})
    make_trace("alpha two", steps=1, meta={"source": "book"})
    make_trace("beta", steps=3, meta={"source": "web", "tags": ["x"]})
    assert prompts(client_in.get("/traces/?q=alph&source=book&steps.min=2")) == ["alpha one"]
    assert prompts(client_in.get("/traces/?tag=x&steps.max=3")) == ["beta", "alpha one"]
    assert prompts(client_in.get("/traces/?meta.source=web")) == ["beta"]


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("q=alpha&source=&sort=newest", "q=alpha"),
        ("scorer=arithmetic&low=10&high=90&q=", "score.arithmetic.min=10&score.arithmetic.max=90"),
        ("scorer=arithmetic&wrong=true", "wrong.arithmetic=true"),
        ("meta_name=level&meta_value=3", "meta.level=3"),
        ("low=10", ""),
    ],
)
def test_what_was_typed_goes_on_to_a_plain_address(client_in, typed, plain):
    response = client_in.get(f"/traces/?{typed}")
    assert (response.status_code, response["Location"]) == (302, f"/traces/?{plain}")


def test_a_filter_is_taken_off_by_its_chip(client_in):
    make_trace("alpha")
    page = client_in.get("/traces/?q=alpha&meta.level=3").content.decode()
    assert 'href="?q=alpha" aria-label="Take the filter level off"' in page
    assert 'name="meta.level" value="3"' in page  # a new search keeps what no field shows


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("newest", ["c", "b", "a"]),
        ("oldest", ["a", "b", "c"]),
        ("most steps", ["b", "c", "a"]),
        ("fewest steps", ["a", "c", "b"]),
        ("lowest baseline", ["a", "c", "b"]),
        ("highest baseline", ["b", "c", "a"]),
    ],
)
def test_the_list_is_sorted(client_in, api, sort, expected):
    for number, (prompt, steps) in enumerate([("a", 1), ("b", 9), ("c", 5)], start=1):
        make_trace(prompt, steps=steps, created_at=datetime(2026, 1, number, tzinfo=UTC))
    services.score_traces(traces=Trace.objects.all(), by=None)
    assert prompts(client_in.get("/traces/", {"sort": sort}, follow=True)) == expected
    rows = api.get("/api/traces", {"sort": sort, "limit": 2}).json()
    assert [row["prompt"] for row in rows["data"]] == expected[:2]
    rest = api.get("/api/traces", {"sort": sort, "limit": 2, "cursor": rows["pagination"]["next_cursor"]}).json()
    assert [row["prompt"] for row in rest["data"]] == expected[2:]
    assert rest["pagination"] == {"limit": 2, "offset": None, "next_offset": None, "next_cursor": None}


def test_a_cursor_and_an_offset_exclude_each_other(api):
    make_traces(3)
    cursor = api.get("/api/traces?limit=1").json()["pagination"]["next_cursor"]
    assert api.get(f"/api/traces?limit=1&offset=1&cursor={cursor}").status_code == 422
    assert api.get("/api/traces?cursor=nonsense").json()["errors"][0]["loc"] == ["cursor"]


def test_chosen_traces_are_tagged_and_untagged(client_in):
    one, two, three = make_traces(3)
    assert "2 traces now have the tag" in do(client_in, "tag", one, two, tag=" good ").content.decode()
    do(client_in, "tag", one, tag="good")  # twice is once
    assert set(Tag.objects.values_list("trace", "name")) == {(one.pk, "good"), (two.pk, "good")}
    do(client_in, "untag", one, three, tag="good")
    assert set(Tag.objects.values_list("trace", flat=True)) == {two.pk}


def test_all_that_the_filter_finds_can_be_chosen_at_once(client_in):
    make_trace("alpha one"), make_trace("alpha two"), make_trace("beta")
    do(client_in, "tag", query="q=alpha", all="yes", tag="a")
    assert set(Trace.objects.filter(tags__name="a").values_list("prompt", flat=True)) == {"alpha one", "alpha two"}


@pytest.mark.parametrize(
    ("what", "fields", "told"),
    [
        ("tag", {"tag": "x"}, "Choose 1 to"),
        ("compare", {"all": "yes"}, "exactly two"),
        ("tag", {"all": "yes", "tag": "  "}, "characters"),
        ("tag", {"all": "yes", "tag": "a\0"}, "NUL"),
        ("tag", {"id": ["5"], "tag": "a"}, "must be the id"),
        ("score", {"all": "yes", "scorer": "nobody"}, "not a scorer"),
    ],
)
def test_what_cannot_be_done_with_a_choice_is_told(client_in, what, fields, told):
    make_trace()
    page = client_in.post("/traces/bulk/", {"do": what, **fields}, follow=True).content.decode()
    assert told in page
    assert not Tag.objects.exists()


def test_chosen_traces_are_scored(client_in):
    one, two, _ = make_traces(3)
    do(client_in, "score", one, two, scorer="baseline")
    assert set(Score.objects.values_list("trace", flat=True)) == {one.pk, two.pk}


def test_an_export_is_imported_again_without_a_difference(client_in):
    traces = make_traces(3, meta={"weight": 0.1, "text": "ä\u2028"})
    for response in (client_in.get("/traces/export.jsonl"), do(client_in, "export", *traces)):
        lines = b"".join(response.streaming_content).decode().split("\n")[:-1]
        assert [json.loads(line) for line in lines] == [trace.payload for trace in traces]
        assert lines == [trace.canonical for trace in traces]


def test_two_chosen_traces_are_compared(client_in):
    one, two, _ = make_traces(3)
    page = do(client_in, "compare", two, one)
    assert parse_qs(urlsplit(page.redirect_chain[-1][0]).query) == {"base": [str(one.pk)], "other": [str(two.pk)]}


def previewed(client, page) -> str:
    """What the page of a build says of the filters that it was opened with."""
    filters = page.context["form"]["filters"].value()
    fields = {"filters": filters, "selection_strategy": "all", "recipe": "trace_sft_v1"}
    return client.post("/datasets/build/preview/", fields).content.decode()


def test_a_dataset_is_built_from_what_is_chosen(client_in):
    one, two, _ = make_traces(3, meta={"level": 3})
    page = do(client_in, "dataset", one, two)
    assert "2 traces match" in previewed(client_in, page)
    name = Tag.objects.values_list("name", flat=True).distinct().get()
    filters = parse_qs(urlsplit(page.redirect_chain[-1][0]).query)["filters"][0]
    assert filters == f"tag={name}"
    by_filter = do(client_in, "dataset", query="meta.level=3&q=what", all="yes")
    assert "3 traces match" in previewed(client_in, by_filter)
    built = client_in.post(
        "/datasets/build/",
        {
            "dataset_name": "picked",
            "dataset_version": "1",
            "filters": filters,
            "selection_strategy": "all",
            "recipe": "trace_sft_v1",
        },
        follow=True,
    )
    assert built.context["dataset"].request["filters"] == {"tag": name}


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("path", ["/traces/bulk/", "/traces/export.jsonl", "/traces/"])
def test_nobody_sees_or_does_anything_without_a_login(client, method, path):
    assert getattr(client, method)(path).status_code in (302, 403, 405)


@pytest.mark.parametrize(
    ("base", "other"),
    [
        ("1," * 990, "1,2," * 490),
        ("ab " * 660, "ab ba " * 330),
        ("same words here", "same words there"),
        ("", "x"),
        ("x", "x"),
    ],
)
def test_what_is_marked_of_two_texts_makes_up_both_of_them(base, other):
    for pieces, text in zip(marked(base, other), (base, other), strict=True):
        assert "".join(piece.text for piece in pieces) == text
        assert any(piece.changed for piece in pieces) == (base != other and bool(text))


def test_long_traces_of_equal_words_are_compared_in_a_moment(client_in):
    pair = [
        make_trace(prompt, steps=[f"{words * 300} {number}" for number in range(300)])
        for prompt, words in (("a", "ab "), ("b", "ba ab "))
    ]
    page = client_in.get(f"/traces/compare/?base={pair[0].pk}&other={pair[1].pk}").content.decode()
    assert page.count("status warning") == 301


def test_a_search_for_more_words_than_are_looked_for_is_refused(api):
    make_trace(" ".join(f"ww{number}" for number in range(30)))
    assert len(api.get("/api/traces?q=" + "+".join(f"ww{number}" for number in range(20))).json()["data"]) == 1
    refused = api.get("/api/traces?q=" + "+".join(f"ww{number}" for number in range(21)))
    assert (refused.status_code, refused.json()["errors"][0]["type"]) == (422, "too_long")
