import json
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from datasets_app.models import Dataset
from tests.factories import make_payload, make_trace, make_traces
from traces import services
from traces.models import Import, Trace
from tunixrt.jobs import work

pytestmark = pytest.mark.django_db


def post(api, path: str, body):
    return api.post(path, body, format="json") if not isinstance(body, bytes) else send(api, path, body)


def send(api, path: str, body: bytes, content_type: str = "application/json"):
    return api.generic("POST", path, body, content_type=content_type)


def upload(api, data: bytes, name: str = "rows.jsonl", headers=None, **fields):
    return api.post("/api/traces/import", {"file": SimpleUploadedFile(name, data), **fields}, headers=headers or {})


def freeze(trace: Trace) -> None:
    """A frozen dataset that holds `trace`."""
    dataset = Dataset.objects.create(key="held-1", name="held", version="1", status="frozen", request={}, seed=1)
    dataset.items.create(position=0, trace=trace, split="train")


def test_a_trace_goes_in_and_comes_out_as_it_was(api, user):
    payload = make_payload("Wie viel? 🦉", steps=3, meta={"source": "book", "ratio": 0.1, "deep": [1, {"a": None}]})
    payload["steps"].reverse()
    response = post(api, "/api/traces", payload)
    assert response.status_code == 201
    made = response.json()
    assert set(made) == {"id", "created_at", "trace_version"}
    shown = api.get(f"/api/traces/{made['id']}").json()
    payload["steps"].reverse()
    assert shown["payload"] == payload
    assert (shown["scores"], shown["tags"], shown["parent"]) == ([], [], None)
    assert Trace.objects.get().created_by == user


def test_meta_may_be_left_out(api):
    payload = make_payload()
    del payload["meta"]
    assert post(api, "/api/traces", payload).status_code == 201


def test_the_same_trace_can_be_stored_twice(api):
    assert [post(api, "/api/traces", make_payload()).status_code for _ in range(2)] == [201, 201]
    assert Trace.objects.count() == 2


def test_a_batch_is_stored_in_its_order_at_one_moment(api):
    response = post(api, "/api/traces/batch", [make_payload(f"{i}?") for i in range(1000)])
    body = response.json()
    assert (response.status_code, body["created_count"], len(body["traces"])) == (201, 1000, 1000)
    assert len({trace["created_at"] for trace in body["traces"]}) == 1
    stored = Trace.objects.order_by("created_at", "id")
    assert [trace.prompt for trace in stored] == [f"{i}?" for i in range(1000)]
    assert [str(trace.pk) for trace in stored] == [trace["id"] for trace in body["traces"]]


def test_an_empty_or_overlong_batch_is_refused(api):
    assert post(api, "/api/traces/batch", []).status_code == 400
    response = post(api, "/api/traces/batch", [make_payload()] * 1001)
    assert (response.status_code, response.json()["code"]) == (400, "batch_too_long")
    assert not Trace.objects.exists()


def test_every_bad_item_of_a_batch_is_named_and_none_is_stored(api):
    rows = [make_payload() for _ in range(6)]
    rows[1]["prompt"] = ""
    rows[4] = 5
    rows[5]["steps"][1]["i"] = 0
    response = post(api, "/api/traces/batch", rows)
    assert response.status_code == 422
    places = [tuple(error["loc"]) for error in response.json()["errors"]]
    assert places == [(1, "prompt"), (4,), (5, "steps", 1, "i")]
    assert not Trace.objects.exists()


def test_a_trace_that_is_too_large_is_told_by_its_index(api, settings):
    settings.TRACE_MAX_BYTES = 2000
    large = make_payload(meta={"blob": "x" * 2000})
    assert post(api, "/api/traces", large).status_code == 413
    response = post(api, "/api/traces/batch", [make_payload(), large, make_payload() | {"prompt": ""}, large])
    assert response.status_code == 413
    assert [error["loc"] for error in response.json()["errors"]] == [[1], [3]]
    assert not Trace.objects.exists()


def test_a_batch_that_is_no_list_is_refused(api):
    response = post(api, "/api/traces/batch", {"traces": []})
    assert (response.status_code, response.json()["errors"][0]["type"]) == (422, "wrong_type")


def test_the_list_is_newest_first_and_comes_in_windows(api):
    made = make_traces(5)
    first = api.get("/api/traces?limit=2").json()
    assert [row["id"] for row in first["data"]] == [str(made[4].pk), str(made[3].pk)]
    places = first["pagination"]
    assert (places["limit"], places["offset"], places["next_offset"]) == (2, 0, 2)
    last = api.get("/api/traces?limit=2&offset=4").json()
    assert [row["id"] for row in last["data"]] == [str(made[0].pk)]
    assert last["pagination"]["next_offset"] is None


def test_the_list_can_be_filtered(api):
    make_trace("Ottawa", meta={"source": "book"})
    make_trace("Quito", steps=10)
    services.score_traces(traces=Trace.objects.all(), by=None)

    def prompts(query: str) -> list[str]:
        return [row["prompt"] for row in api.get(f"/api/traces?{query}").json()["data"]]

    assert prompts("source=book") == prompts("q=ottawa") == ["Ottawa"]
    assert prompts("min_score=50") == ["Quito"]
    assert prompts("created_after=2020-01-01T00:00:00Z") == ["Quito", "Ottawa"]
    assert prompts("created_after=2999-01-01") == []
    assert api.get("/api/traces?source=book").json()["data"][0]["score"] is not None


def test_the_number_of_queries_does_not_grow_with_the_rows(api, django_assert_num_queries):
    traces = make_traces(20, meta={"source": "book", "tags": ["a", "b"]})
    services.score_traces(traces=Trace.objects.all(), by=None)
    with django_assert_num_queries(4):  # the token, its user, how many, the rows
        api.get("/api/traces?limit=20&source=book")
    with django_assert_num_queries(6):  # the token, its user, the trace, its scores, its reviews, its tags
        api.get(f"/api/traces/{traces[0].pk}")


def test_rows_of_an_import_that_is_loading_are_nowhere(api):
    row = Import.objects.create(file_name="x", file_sha256="", file_bytes=1, format="trace")
    trace = make_trace()
    Trace.objects.update(imported_by=row)
    assert api.get("/api/traces").json()["data"] == []
    for method, path in [("get", ""), ("delete", ""), ("post", "/score")]:
        assert getattr(api, method)(f"/api/traces/{trace.pk}{path}").status_code == 404
    assert api.get(f"/api/traces/compare?base={trace.pk}&other={trace.pk}").status_code == 404


def test_a_trace_is_deleted_unless_a_dataset_holds_it(api):
    held, free = make_traces(2)
    freeze(held)
    assert api.delete(f"/api/traces/{free.pk}").status_code == 204
    response = api.delete(f"/api/traces/{held.pk}")
    assert (response.status_code, response.json()["code"]) == (409, "held")
    assert list(Trace.objects.all()) == [held]
    assert api.delete(f"/api/traces/{free.pk}").status_code == 404


def test_the_baseline_scores_what_is_shown(api):
    trace = make_trace(steps=["x" * 100, "x" * 300])
    response = post(api, f"/api/traces/{trace.pk}/score", {"criteria": "baseline"})
    assert response.status_code == 201
    assert response.json() == {
        "trace_id": str(trace.pk),
        "score": 30.0,
        "details": {"step_score": 10.0, "length_score": 20.0, "n_steps": 2, "mean_step_length": 200.0},
    }
    post(api, f"/api/traces/{trace.pk}/score", {})
    (score,) = api.get(f"/api/traces/{trace.pk}").json()["scores"]
    assert (score["scorer"], score["version"], score["score"]) == ("baseline", "1", 30.0)


@pytest.mark.parametrize("body", [{"criteria": "beauty"}, {"criteria": []}, {"criteria": None}, {"by": "me"}, [], 5])
def test_an_unknown_scorer_is_refused(api, body):
    assert post(api, f"/api/traces/{make_trace().pk}/score", body).status_code == 422


def test_two_traces_are_compared(api):
    base, other = make_trace(steps=10), make_trace("another")
    body = api.get(f"/api/traces/compare?base={base.pk}&other={other.pk}").json()
    assert set(body["base"]) == {"id", "created_at", "trace_version", "score", "payload"}
    assert (body["base"]["id"], body["other"]["payload"]["prompt"]) == (str(base.pk), "another")
    assert body["base"]["score"] > 50 > body["other"]["score"]


@pytest.mark.parametrize("query", ["", "base=1", "base={id}", "base={id}&other=x", "base={id}&other=%00"])
def test_a_comparison_names_two_traces(api, query):
    assert api.get(f"/api/traces/compare?{query.format(id=make_trace().pk)}").status_code == 422


def test_a_comparison_with_a_trace_that_is_not_there(api):
    assert api.get(f"/api/traces/compare?base={make_trace().pk}&other={uuid.uuid4()}").status_code == 404


def test_a_small_file_is_imported_at_once(api):
    rows = "\n".join(json.dumps(make_payload(prompt)) for prompt in ("a?", "b?", "a?"))
    response = upload(api, rows.encode())
    body = response.json()
    assert (response.status_code, body["status"]) == (201, "done")
    assert (body["stored_count"], body["duplicate_count"], body["bad_count"], body["errors"]) == (2, 1, 0, [])
    assert api.get(body["url"]).json() == body


def test_a_large_file_goes_on_in_the_background(api, monkeypatch):
    monkeypatch.setattr("traces.services.imports.INLINE_BYTES", 10)
    response = upload(api, json.dumps(make_payload()).encode())
    body = response.json()
    assert (response.status_code, body["status"]) == (202, "loading")
    assert set(body["progress"]) == {"done", "total", "eta_seconds", "message"}
    work.perform(Import.objects.get().job.pk)
    assert api.get(body["url"]).json()["stored_count"] == 1


def test_one_key_imports_once(api):
    data = json.dumps(make_payload()).encode()
    key = {"Idempotency-Key": "one"}
    first, second = (upload(api, data, headers=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert upload(api, data + b"\n", headers=key).status_code == 409
    assert Import.objects.count() == 1


def test_bad_rows_can_be_left_out(api):
    data = json.dumps(make_payload()).encode() + b"\n{}"
    response = upload(api, data, skip_bad="true", format="trace", source="book")
    body = response.json()
    assert (response.status_code, body["stored_count"], body["bad_count"]) == (201, 1, 1)
    assert body["errors"][0]["line"] == 2


def test_an_import_that_is_not_there(api):
    assert api.get(f"/api/traces/imports/{uuid.uuid4()}").status_code == 404
