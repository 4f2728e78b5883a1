"""Runs over HTTP."""

import json
from uuid import uuid4

import pytest

from runs.models import Run
from tests.factories import NOBODY
from tests.runs.making import TINY, begin, completed, write_losses

pytestmark = pytest.mark.django_db


@pytest.fixture
def body(dataset):
    return {"dataset_key": dataset.key, "config": TINY, "seed": 3, "name": "mine"}


def post(api, address: str, body=None, **headers):
    return api.post(address, body or {}, format="json", **headers)


def test_a_run_is_launched(api, body, user):
    response = post(api, "/api/runs", body)
    assert response.status_code == 201
    run = response.json()
    assert (run["status"], run["engine"], run["dataset_key"], run["seed"]) == ("pending", "jax", "chain-test", 3)
    assert {
        "id",
        "name",
        "config",
        "metrics",
        "attempt",
        "error",
        "parent",
        "created_at",
        "started_at",
        "finished_at",
    } <= set(run)
    assert api.get(f"/api/runs/{run['id']}").json() == run
    assert Run.objects.get().created_by == user


def test_a_dry_run_answers_the_plan_and_stores_nothing(api, body):
    response = post(api, "/api/runs", body | {"dry_run": True})
    assert response.status_code == 200
    assert response.json()["updates"] == 4
    assert Run.objects.count() == 0


def test_the_same_idempotency_key_launches_once(api, body):
    first = post(api, "/api/runs", body, headers={"Idempotency-Key": "k"})
    second = post(api, "/api/runs", body, headers={"Idempotency-Key": "k"})
    other = post(api, "/api/runs", body | {"seed": 4}, headers={"Idempotency-Key": "k"})
    assert (first.status_code, second.status_code, other.status_code) == (201, 200, 409)
    assert first.json() == second.json()
    assert Run.objects.count() == 1


def test_a_refused_launch_leaves_its_key_free(api, body):
    assert post(api, "/api/runs", body | {"seed": -1}, headers={"Idempotency-Key": "k"}).status_code == 422
    assert post(api, "/api/runs", body, headers={"Idempotency-Key": "k"}).status_code == 201


WRONG_BODIES = {
    "status": ({"status": "completed"}, 422, ["status"]),
    "attempt": ({"attempt": 7}, 422, ["attempt"]),
    "metrics": ({"metrics": {}}, 422, ["metrics"]),
    "unknown option": ({"x": 1}, 422, ["x"]),
    "no dataset": ({"dataset_key": None}, 422, ["dataset_key"]),
    "unknown dataset": ({"dataset_key": "no-1"}, 422, ["dataset_key"]),
    "dataset in other letters": ({"dataset_key": "CHAIN-test"}, 422, ["dataset_key"]),
    "NUL in a name": ({"name": "a\0b"}, 422, ["name"]),
    "seed of 2**64": ({"seed": 2**64}, 422, ["seed"]),
    "seed of 1.0": ({"seed": 1.0}, 422, ["seed"]),
    "batch size": ({"config": {"training": {"steps": 1, "batch_size": 0}}}, 422, ["config", "training", "batch_size"]),
    "steps and epochs": ({"config": {"training": {"steps": 1, "epochs": 1}}}, 422, ["config", "training"]),
    "evalset": ({"evalset": "nope"}, 422, ["evalset"]),
    "evalset that is not there": ({"evalset": str(uuid4())}, 422, ["evalset"]),
    "engine": ({"engine": "torch"}, 422, ["engine"]),
    "dry_run as text": ({"dry_run": "yes"}, 422, ["dry_run"]),
    "the other engine": ({"engine": "tunix"}, 503, None),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "status", "place"), WRONG_BODIES.values(), ids=WRONG_BODIES)
def test_a_wrong_body_is_refused_with_its_place(api, body, wrong, status, place):
    response = post(api, "/api/runs", body | wrong)
    assert response.status_code == status
    answer = response.json()
    assert {"detail", "code", "request_id", "errors"} == set(answer)
    if place:
        assert answer["errors"][0]["loc"] == place
    assert Run.objects.count() == 0


MALFORMED = {
    "a list": (b"[]", 422),
    "nothing": (b"", 400),
    "not JSON": (b"{", 400),
    "duplicate keys": (b'{"seed": 1, "seed": 2}', 400),
    "NaN": (b'{"seed": NaN}', 422),
    "1e999": (b'{"seed": 1e999}', 422),
    "not UTF-8": (b'{"name": "\xff"}', 400),
    "UTF-16": ('{"seed": 1}'.encode("utf-16"), 400),
    "bottomless": (b'{"config": ' + b"[" * 100_000, 400),
    "deep": (b'{"config": ' + b"[" * 40 + b"]" * 40 + b"}", 400),
    "lone surrogate": (b'{"name": "\\ud800"}', 422),
}


@pytest.mark.parametrize(("data", "status"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_body_is_refused(api, dataset, data, status):
    response = api.generic("POST", "/api/runs", data, content_type="application/json")
    assert response.status_code == status, response.json()
    assert Run.objects.count() == 0


def test_another_media_type_is_refused(api, dataset):
    assert api.generic("POST", "/api/runs", b"{}", content_type="text/plain").status_code == 415


def test_the_list_is_newest_first_and_filtered(api, dataset, run):
    done = completed(dataset)
    listed = api.get("/api/runs").json()
    assert [row["id"] for row in listed["data"]] == [str(done.pk), str(run.pk)]
    assert listed["pagination"] == {"limit": 20, "offset": 0, "next_offset": None}
    assert len(api.get("/api/runs?status=completed").json()["data"]) == 1
    assert len(api.get("/api/runs?dataset_key=other-1").json()["data"]) == 0
    assert api.get("/api/runs?limit=1").json()["pagination"]["next_offset"] == 1


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=abc", "limit=-1", "offset=-1", "offset=9999999999", "offset=%00", "status=bogus",
     "status=%00", "ordering=zzz", "dataset_key=%00", "page=0", "limit=1.0", "limit=%D9%A1"],
)  # fmt: skip
def test_a_wrong_query_is_refused(api, query):
    response = api.get(f"/api/runs?{query}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == [query.partition("=")[0]]


@pytest.mark.parametrize("odd", ["1", "abc", "9" * 40, "%00", NOBODY, "01a1fc1c-f635-7123-81ad-efe9c0793aa"])
@pytest.mark.parametrize("part", ["", "/metrics", "/logs", "/events", "/artifacts", "/evaluation", "/predictions"])
def test_a_run_that_is_not_there_is_not_found(api, odd, part):
    assert api.get(f"/api/runs/{odd}{part}").status_code == 404


def test_metrics_and_log_are_followed_by_offset(api, run):
    assert api.get(f"/api/runs/{run.pk}/metrics").json() == {"data": [], "next": 0, "more": False}
    write_losses(run, [4.0, 2.0])
    first = api.get(f"/api/runs/{run.pk}/metrics").json()
    assert [point["loss"] for point in first["data"]] == [4.0, 2.0]
    write_losses(run, [1.0])
    then = api.get(f"/api/runs/{run.pk}/metrics?after={first['next']}").json()
    assert [point["loss"] for point in then["data"]] == [1.0]
    assert len(api.get(f"/api/runs/{run.pk}/logs").json()["data"]) == 3
    assert api.get(f"/api/runs/{run.pk}/logs?after=x").status_code == 422


def test_events_tell_who_and_why(api, run):
    begin(run)
    events = api.get(f"/api/runs/{run.pk}/events").json()["data"]
    assert [(event["to_status"], event["created_by"]) for event in events] == [("pending", "ada"), ("training", None)]


def test_files_are_listed_and_downloaded(api, run):
    write_losses(run, [4.0])
    files = api.get(f"/api/runs/{run.pk}/artifacts").json()["data"]
    assert [file["path"] for file in files] == ["metrics.jsonl", "train.log"]
    response = api.get(f"/api/runs/{run.pk}/artifacts/metrics.jsonl")
    assert json.loads(b"".join(response.streaming_content))["loss"] == 4.0
    assert response["Content-Type"].startswith("text/plain")


def test_a_run_is_cancelled_over_http(api, run):
    response = post(api, f"/api/runs/{run.pk}/cancel")
    assert (response.status_code, response.json()["status"]) == (202, "cancelled")
    assert post(api, f"/api/runs/{run.pk}/cancel").status_code == 202  # harmless the second time
    again = post(api, f"/api/runs/{run.pk}/retry")
    assert (again.status_code, again.json()["parent"]) == (202, str(run.pk))


@pytest.mark.parametrize("action", ["retry", "resume", "evaluate", "replay"])
def test_what_a_state_forbids_is_a_conflict(api, run, action):
    response = post(api, f"/api/runs/{run.pk}/{action}")
    assert (response.status_code, response.json()["code"]) == (409, "wrong_state")


def test_a_verdict_and_its_rows(api, dataset, run):
    assert api.get(f"/api/runs/{run.pk}/evaluation").status_code == 409
    done = completed(dataset, right=lambda i: i == 0)
    verdict = api.get(f"/api/runs/{done.pk}/evaluation").json()
    assert verdict["after"]["correct_count"] == verdict["comparison"]["won"] == 1
    rows = api.get(f"/api/runs/{done.pk}/predictions?correct=true").json()["data"]
    assert [row["correct"] for row in rows] == [True]
    assert set(rows[0]) >= {"id", "prompt", "expected_answer", "output", "answer", "judges", "output_tokens"}
    assert api.get(f"/api/runs/{done.pk}/predictions?stage=before&correct=true").json()["data"] == []
    assert api.get(f"/api/runs/{done.pk}/predictions?category=none").json()["data"] == []
    assert api.get(f"/api/runs/{done.pk}/predictions?correct=1").status_code == 422


def test_runs_are_compared_and_ranked(api, dataset):
    base = completed(dataset, right=lambda i: False, seed=1)
    other = completed(dataset, seed=2)
    found = api.get(f"/api/runs/compare?base={base.pk}&other={other.pk}").json()
    assert found["results"]["won"] == base.evalset.item_count == len(found["changed"])
    assert found["config"] == [{"path": "training.seed", "base": 1, "other": 2}]
    assert api.get(f"/api/runs/compare?base={base.pk}").status_code == 422
    ranks = api.get(f"/api/leaderboard?evalset={base.evalset_id}").json()["data"]
    assert [(row["rank"], row["id"]) for row in ranks] == [(1, str(other.pk)), (2, str(base.pk))]
    assert api.get("/api/leaderboard").status_code == 422


def test_a_page_of_the_list_costs_the_same_however_many_rows(api, dataset, django_assert_max_num_queries):
    for seed in range(5):
        completed(dataset, seed=seed)
    with django_assert_max_num_queries(5):
        assert len(api.get("/api/runs").json()["data"]) == 5
