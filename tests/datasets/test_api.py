"""Datasets and evalsets over HTTP."""

import json

import pytest

from datasets_app import services
from datasets_app.models import Dataset, EvalSet
from tests.factories import make_trace, make_traces

pytestmark = pytest.mark.django_db
BODY = {"dataset_name": "set", "dataset_version": "1"}
ITEM = {"id": "1", "prompt": "1+1?", "expected_answer": "2", "category": "sum", "difficulty": "easy"}


def post(api, path, body, **headers):
    return api.post(path, json.dumps(body), content_type="application/json", headers=headers)


def text(response) -> str:
    return b"".join(response.streaming_content).decode()


def test_a_build_answers_where_the_manifest_is(api, home):
    make_traces(3)
    response = post(api, "/api/datasets/build", BODY)
    assert response.status_code == 201
    body = response.json()
    assert (body["dataset_key"], body["trace_count"]) == ("set-1", 3)
    assert body["manifest_path"] == "datasets/set-1/manifest.json"
    assert json.loads((home / body["manifest_path"]).read_text())["build_id"] == body["build_id"]


def test_the_same_content_is_200_other_content_is_409_no_trace_is_422(api):
    assert post(api, "/api/datasets/build", BODY).status_code == 422
    make_trace()
    first = post(api, "/api/datasets/build", BODY).json()
    again = post(api, "/api/datasets/build", BODY)
    assert (again.status_code, again.json()) == (200, first)
    make_trace("another")
    refused = post(api, "/api/datasets/build", BODY)
    assert (refused.status_code, refused.json()["code"]) == (409, "frozen")
    assert refused.json()["errors"][0]["loc"] == ["trace_ids"]
    assert post(api, "/api/datasets/build", BODY | {"dataset_name": "SET"}).status_code == 409


def test_a_large_build_is_202_and_shows_its_status(api, monkeypatch):
    monkeypatch.setattr("datasets_app.services.datasets.INLINE_TRACES", 1)
    make_traces(2)
    response = post(api, "/api/datasets/build", BODY)
    assert (response.status_code, response.json()["status"]) == (202, "building")
    assert api.get("/api/datasets/set-1").json()["status"] == "building"
    assert api.get("/api/datasets/set-1/export.jsonl").status_code == 409


def test_an_idempotency_key_builds_once(api):
    make_trace()
    headers = {"Idempotency-Key": "once"}
    first = post(api, "/api/datasets/build", BODY, **headers)
    make_trace("later")
    second = post(api, "/api/datasets/build", BODY, **headers)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert post(api, "/api/datasets/build", BODY | {"limit": 1}, **headers).status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 422),
        ({}, 422),
        (BODY | {"dataset_name": "../x"}, 422),
        (BODY | {"seed": 2**64}, 422),
        (BODY | {"unknown": 1}, 422),
        (BODY | {"parent_dataset_id": "zz"}, 422),
    ],
)
def test_bad_bodies_are_refused(api, body, status):
    make_trace()
    assert post(api, "/api/datasets/build", body).status_code == status
    assert not Dataset.objects.exists()


@pytest.mark.parametrize("path", ["/api/datasets/build", "/api/evalsets"])
@pytest.mark.parametrize("body", ["{", ""])
def test_a_body_that_is_not_json_is_400(api, path, body):
    assert api.post(path, body, content_type="application/json").status_code == 400


def test_a_manifest_that_is_gone_from_the_disk_is_503_and_says_how_it_comes_back(api):
    make_trace()
    post(api, "/api/datasets/build", BODY)
    Dataset.objects.get().manifest_path.unlink()
    response = api.get("/api/datasets/set-1/manifest.json")
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert post(api, "/api/datasets/build", BODY).status_code == 200
    assert api.get("/api/datasets/set-1/manifest.json").status_code == 200


def test_an_idempotency_key_that_is_too_long_is_refused_not_cut(api):
    make_trace()
    refused = post(api, "/api/datasets/build", BODY, **{"Idempotency-Key": "k" * 201})
    assert (refused.status_code, refused.json()["errors"][0]["type"]) == (422, "too_long")
    assert not Dataset.objects.exists()


def test_a_name_that_nobody_knows_is_told_in_short_and_printably(api):
    refused = post(api, "/api/evalsets", {"\x1b[31m" + "x" * 1000: 1}).json()
    assert len(refused["detail"]) < 200
    assert refused["detail"].isprintable()


def test_lists_are_windows_newest_first_in_few_queries(api, django_assert_num_queries):
    make_trace()
    for version in "123":
        services.build_dataset(request=BODY | {"dataset_version": version}, by=None)
    with django_assert_num_queries(3):  # the token, its person, the rows
        body = api.get("/api/datasets?limit=2").json()
    assert [row["dataset_key"] for row in body["data"]] == ["set-3", "set-2"]
    assert body["pagination"] == {"limit": 2, "offset": 0, "next_offset": 2}
    for query in ("limit=0", "limit=101", "offset=x", "order=name"):
        assert api.get(f"/api/datasets?{query}").status_code == 422


def test_the_detail_and_the_manifest_tell_the_same(api):
    services.seed_dataset(key="golden-v2")
    detail = api.get("/api/datasets/golden-v2").json()
    manifest = json.loads(text(api.get("/api/datasets/golden-v2/manifest.json")))
    for name in ("trace_count", "splits", "stats", "gates", "content_sha256", "recipe", "seed"):
        assert detail[name] == manifest[name]


@pytest.mark.parametrize(
    "key", ["nothing-1", "nokey", "golden-v1%00", "..%2f..-1", "GOLDEN-v2", "a" * 300 + "-1", "é-1"]
)
def test_an_odd_key_is_404(api, client_in, key):
    services.seed_dataset(key="golden-v2")
    for path in ("", "/manifest.json", "/export.jsonl"):
        assert api.get(f"/api/datasets/{key}{path}").status_code == 404
    assert client_in.get(f"/datasets/{key}/").status_code == 404


def test_an_export_streams_lines_whatever_is_accepted(api):
    services.seed_dataset(key="golden-v2")
    response = api.get(
        "/api/datasets/golden-v2/export.jsonl?format=tunix_sft&split=valid", headers={"Accept": "application/x-ndjson"}
    )
    assert (response.status_code, response.streaming) == (200, True)
    rows = [json.loads(line) for line in text(response).splitlines()]
    assert len(rows) == 8
    assert all(row["prompts"].endswith("<end_of_turn>") for row in rows)


@pytest.mark.parametrize("query", ["format=csv", "split=dev", "format=", "rows=3"])
def test_an_unknown_format_split_or_parameter_is_422(api, query):
    services.seed_dataset(key="golden-v1")
    assert api.get(f"/api/datasets/golden-v1/export.jsonl?{query}").status_code == 422


def test_evalsets_are_made_of_splits_items_and_what_is_shipped(api, django_assert_num_queries):
    services.seed_dataset(key="golden-v2")
    made = post(api, "/api/evalsets", {"dataset_key": "golden-v2", "split": "test"})
    assert made.status_code == 201
    assert post(api, "/api/evalsets", {"dataset_key": "golden-v2", "split": "test"}).json() == made.json()
    assert post(api, "/api/evalsets", {"name": "eval_v1"}).json()["item_count"] == 25
    assert post(api, "/api/evalsets", {"name": "mine", "items": [ITEM]}).status_code == 201
    with django_assert_num_queries(3):
        listed = api.get("/api/evalsets").json()["data"]
    assert {entry["dataset_key"] for entry in listed} == {None, "golden-v2"}
    detail = api.get(f"/api/evalsets/{made.json()['id']}?limit=5").json()
    assert len(detail["items"]["data"]) == 5
    assert detail["items"]["pagination"]["next_offset"] == 5


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"dataset_key": "none-1", "split": "test"},
        {"dataset_key": "golden-v1"},
        {"dataset_key": "golden-v1", "split": "dev"},
        {"dataset_key": "golden-v1", "split": "test"},
        {"dataset_key": 5, "split": "test"},
        {"name": "nothing"},
        {"name": "x", "items": []},
        {"name": "x", "items": [{"id": "1"}]},
        {"items": []},
        {"extra": 1},
        {"name": "n" * 201, "items": [ITEM]},
        {"dataset_key": "golden-v1", "split": "train", "items": [ITEM]},
        {"name": "mine", "items": [ITEM], "split": "train"},
    ],
)
def test_an_evalset_that_cannot_be_is_422(api, body):
    services.seed_dataset(key="golden-v1")
    assert post(api, "/api/evalsets", body).status_code == 422
    assert not EvalSet.objects.exists()
