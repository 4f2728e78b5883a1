"""Bad input over HTTP: a status of the 400s with a place and a reason, the same on both databases, nothing stored."""

import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import make_payload
from traces.models import Import, Trace

pytestmark = pytest.mark.django_db

GOOD = json.dumps(make_payload())


def changed(**fields) -> bytes:
    return json.dumps(make_payload() | fields).encode()


def step(**fields) -> bytes:
    return changed(steps=[{"i": 0, "type": "compute", "content": "1"} | fields])


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in make_payload().items() if key != name}).encode()


def meta(text: str) -> bytes:
    """A trace whose `meta` is the JSON text `text`, which the standard library would not write."""
    return GOOD.replace('"meta": null', f'"meta": {text}').encode()


BROKEN_RULES = {
    "no trace_version": (without("trace_version"), "missing_field"),
    "no prompt": (without("prompt"), "missing_field"),
    "no steps": (without("steps"), "missing_field"),
    "no final_answer": (without("final_answer"), "missing_field"),
    "unknown field": (changed(answer="4"), "unknown_field"),
    "trace_version empty": (changed(trace_version=""), "empty"),
    "trace_version of 65": (changed(trace_version="1" * 65), "too_long"),
    "trace_version a number": (changed(trace_version=1.0), "wrong_type"),
    "prompt empty": (changed(prompt=""), "empty"),
    "prompt of 50 001": (changed(prompt="x" * 50_001), "too_long"),
    "prompt null": (changed(prompt=None), "wrong_type"),
    "final_answer empty": (changed(final_answer=""), "empty"),
    "final_answer of 50 001": (changed(final_answer="x" * 50_001), "too_long"),
    "final_answer a number": (changed(final_answer=4), "wrong_type"),
    "steps empty": (changed(steps=[]), "empty"),
    "1 001 steps": (changed(steps=[{"i": i, "type": "t", "content": "c"} for i in range(1001)]), "too_long"),
    "steps an object": (changed(steps={}), "wrong_type"),
    "step a text": (changed(steps=["2 + 2 = 4"]), "wrong_type"),
    "step without i": (changed(steps=[{"type": "t", "content": "c"}]), "missing_field"),
    "step.i negative": (step(i=-1), "number_out_of_range"),
    "step.i a float": (step(i=1.0), "wrong_type"),
    "step.i a bool": (step(i=True), "wrong_type"),
    "step.i a text": (step(i="0"), "wrong_type"),
    "step.i twice": (changed(steps=[{"i": 0, "type": "t", "content": "c"}] * 2), "duplicate_step"),
    "step.type empty": (step(type=""), "empty"),
    "step.type of 65": (step(type="x" * 65), "too_long"),
    "step.content empty": (step(content=""), "empty"),
    "step.content of 20 001": (step(content="x" * 20_001), "too_long"),
    "step with an unknown field": (step(note="x"), "unknown_field"),
    "meta a list": (changed(meta=[]), "wrong_type"),
    "NUL in a text": (changed(prompt="a\0b"), "nul_character"),
    "NUL in meta": (changed(meta={"a": {"b": "\0"}}), "nul_character"),
    "NUL in a key of meta": (changed(meta={"a\0": 1}), "nul_character"),
    "lone surrogate in a text": (changed(prompt="a\ud800"), "lone_surrogate"),
    "lone surrogate in meta": (changed(meta={"a": "\udc00"}), "lone_surrogate"),
    "NaN": (meta('{"a": NaN}'), "non_finite"),
    "infinity": (meta('{"a": -Infinity}'), "non_finite"),
    "1e999": (meta('{"a": 1e999}'), "number_out_of_range"),
    "2**63": (meta('{"a": 9223372036854775808}'), "number_out_of_range"),
    "257 keys": (changed(meta={str(i): i for i in range(257)}), "too_many_keys"),
    "a list": (b"[1]", "not_object"),
    "a text": (b'"trace"', "not_object"),
    "null": (b"null", "not_object"),
}
MALFORMED = {
    "empty body": b"",
    "not JSON": b"{",
    "trailing comma": GOOD.encode()[:-1] + b",}",
    "two values": GOOD.encode() + b"{}",
    "UTF-16": GOOD.encode("utf-16"),
    "Latin-1": '{"prompt": "é"}'.encode("latin-1"),
    "BOM": b"\xef\xbb\xbf" + GOOD.encode(),
    "duplicate key": b'{"prompt": "a", "prompt": "b"}',
    "depth 900": meta('{"a":' * 900 + "1" + "}" * 900),
    "depth 100 000": meta("[" * 100_000 + "]" * 100_000),
    "open brackets": b"[" * 100_000,
}


def send(api, body: bytes, path: str = "/api/traces", content_type: str = "application/json"):
    return api.generic("POST", path, body, content_type=content_type)


def upload(api, data: bytes, name: str = "rows.jsonl", **fields):
    return api.post("/api/traces/import", {"file": SimpleUploadedFile(name, data), **fields})


@pytest.mark.parametrize(("body", "type"), BROKEN_RULES.values(), ids=BROKEN_RULES)
def test_each_rule_of_a_trace_is_told_with_its_place(api, body, type):
    response = send(api, body)
    answer = response.json()
    assert response.status_code == 422, answer
    assert set(answer) == {"detail", "code", "request_id", "errors"}
    assert type in [error["type"] for error in answer["errors"]]
    assert all(set(error) >= {"loc", "msg", "type"} for error in answer["errors"])
    assert not Trace.objects.exists()


@pytest.mark.parametrize(("body", "type"), BROKEN_RULES.values(), ids=BROKEN_RULES)
def test_the_same_rules_hold_in_a_batch_and_in_a_file(api, body, type):
    batch = send(api, b"[" + GOOD.encode() + b"," + body + b"]", "/api/traces/batch")
    file = upload(api, GOOD.encode() + b"\n" + body, format="trace")
    assert (batch.status_code, file.status_code) == (422, 422)
    assert {error["loc"][0] for error in batch.json()["errors"]} == {1}
    assert {error["line"] for error in file.json()["errors"]} == {2}
    assert type in [error["type"] for error in file.json()["errors"]]
    assert not Trace.objects.exists()


@pytest.mark.parametrize("path", ["/api/traces", "/api/traces/batch"])
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_what_cannot_be_read_is_malformed(api, body, path):
    response = send(api, body, path)
    assert response.status_code == 400, response.json()
    assert not Trace.objects.exists()


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_only_json_is_taken(api, content_type):
    assert send(api, GOOD.encode(), content_type=content_type).status_code == 415


def test_a_charset_that_is_not_utf8_is_refused(api):
    assert send(api, GOOD.encode(), content_type="application/json; charset=nope").status_code in (400, 415)
    assert send(api, GOOD.encode(), content_type="application/json; charset=utf-8").status_code == 201


def test_a_body_of_three_megabytes_is_too_large(api):
    assert send(api, changed(meta={"blob": "x" * 3 * 1024**2})).status_code == 413


@pytest.mark.parametrize(
    "query",
    [
        "q=%00",
        "source=%00",
        "search=x",
        "ordering=zzz",
        "state=done",
        "min_score=abc",
        "min_score=nan",
        "min_score=inf",
        "min_score=",
        "created_after=tomorrow",
        "created_after=2026-01-01T00:00:00",
        "limit=0",
        "limit=-1",
        "limit=101",
        "limit=abc",
        "limit=1e3",
        "limit=%D9%A1",
        "offset=-1",
        "offset=99999999999",
        "q=" + "x" * 1001,
    ],
)
def test_a_query_that_means_nothing_is_refused(api, query):
    response = api.get(f"/api/traces?{query}")
    assert response.status_code == 422, query
    assert response.json()["errors"][0]["loc"] == [query.partition("=")[0]]


@pytest.mark.parametrize("name", ["1", "x", "%00", "9" * 40, "../etc", "00000000-0000-0000-0000-000000000000", "%ff"])
def test_an_id_that_is_none_is_not_found(api, name):
    for path in ("traces/{}", "traces/{}/score", "traces/imports/{}"):
        response = (api.post if "score" in path else api.get)("/api/" + path.format(name))
        assert response.status_code == 404


@pytest.mark.parametrize(
    ("data", "status", "type"),
    [
        (b"", 400, "empty_file"),
        (b"\n \n", 400, "empty_file"),
        (b"{not JSON}", 400, "json"),
        (b'{"prompt": "\xe9"}', 400, "encoding"),
        (GOOD.encode("utf-16"), 400, "encoding"),
        (b"\x1f\x8b\x08\x00rest", 400, "compressed"),
        (b"PAR1rest", 400, "compressed"),
        (b"5\n", 422, "not_object"),
        (b"{}\n", 422, "missing_field"),
        (b"{}\n{not JSON}\n", 400, "json"),
        (b'{"question": "a?", "answer": "no end"}', 422, "missing_field"),
        (b'{"messages": []}', 422, "wrong_type"),
    ],
)
def test_a_bad_file_is_told_by_line_and_stores_nothing(api, data, status, type):
    response = upload(
        api,
        GOOD.encode() + b"\n" + data if status == 422 and b"question" not in data and b"messages" not in data else data,
    )
    assert response.status_code == status
    errors = response.json()["errors"]
    assert type in [error["type"] for error in errors]
    assert all(error["line"] for error in errors)
    assert not Trace.objects.exists()


def test_one_bad_line_of_a_thousand(api):
    rows = [json.dumps(make_payload(f"{i}?")) for i in range(1000)]
    rows[499] = json.dumps(make_payload() | {"prompt": 5})
    response = upload(api, "\n".join(rows).encode())
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert (error["line"], error["loc"], error["type"]) == (500, ["prompt"], "wrong_type")
    assert not Trace.objects.exists()


def test_a_thousand_bad_lines_are_told_fifty_times(api):
    errors = upload(api, b"5\n" * 1000).json()["errors"]
    assert (len(errors), errors[-1]["type"]) == (51, "stopped")


def test_a_message_repeats_little_of_the_input(api):
    errors = upload(api, b'{"messages": [{"role": "' + b"x" * 5000 + b'", "content": "a"}]}').json()["errors"]
    assert max(len(error["msg"]) for error in errors) < 250


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"rows": SimpleUploadedFile("a.jsonl", b"{}")},
        {"file": "text, not a file"},
        {"file": [SimpleUploadedFile("a.jsonl", b"{}"), SimpleUploadedFile("b.jsonl", b"{}")]},
        {"file": SimpleUploadedFile("a.jsonl", b"{}"), "other": SimpleUploadedFile("b.jsonl", b"{}")},
        {"file": SimpleUploadedFile("x" * 300, b"{}")},
        {"file": SimpleUploadedFile("a.jsonl", b"{}"), "format": "csv"},
        {"file": SimpleUploadedFile("a.jsonl", b"{}"), "format": "\0"},
        {"file": SimpleUploadedFile("a.jsonl", b"{}"), "skip_bad": "maybe"},
        {"file": SimpleUploadedFile("a.jsonl", b"{}"), "colour": "red"},
        {"file": SimpleUploadedFile("a.jsonl", b"{}"), "source": "x" * 201},
    ],
    ids=lambda form: "+".join(form) or "nothing",
)
def test_an_upload_is_exactly_one_named_file(api, form, home):
    for value in form.values():
        for file in value if isinstance(value, list) else [value]:
            if isinstance(file, io.IOBase) or hasattr(file, "seek"):
                file.seek(0)
    response = api.post("/api/traces/import", form)
    assert response.status_code in (400, 422)
    assert not Import.objects.exists()
    assert not (home / "imports").exists()


def test_a_file_without_a_name_is_no_file(api):
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n{}\r\n--x--\r\n'
    assert send(api, body, "/api/traces/import", "multipart/form-data; boundary=x").status_code == 400


def test_the_server_picks_the_name_under_which_a_file_is_kept(api, home):
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="../../evil.jsonl"\r\n\r\n'
    body += GOOD.encode() + b"\r\n--x--\r\n"
    response = send(api, body, "/api/traces/import", "multipart/form-data; boundary=x")
    assert (response.status_code, response.json()["file_name"]) == (201, "evil.jsonl")
    assert not list(home.rglob("*evil*"))


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=", "application/json"])
def test_an_upload_that_is_no_form_is_refused(api, content_type):
    assert send(api, b"rubbish", "/api/traces/import", content_type).status_code in (400, 415)


def test_a_file_that_is_too_large_is_refused(api, settings):
    settings.UPLOAD_MAX_BYTES = 100
    assert upload(api, GOOD.encode() * 2).status_code == 413
    assert upload(api, b"x" * 100_000).status_code == 413


def test_text_that_looks_like_markup_is_stored_as_it_is_and_shown_as_text(api, client_in):
    text = "<script>alert(1)</script> =HYPERLINK(1) \u202e"
    made = send(api, changed(prompt=text, meta={text: text})).json()
    assert api.get(f"/api/traces/{made['id']}").json()["payload"]["prompt"] == text
    for path in ("/traces/", f"/traces/{made['id']}/", f"/traces/compare/?base={made['id']}&other={made['id']}"):
        page = client_in.get(path).content.decode()
        assert "&lt;script&gt;" in page
        assert "<script>alert" not in page


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
almost_traces = st.fixed_dictionaries(
    {
        "trace_version": st.sampled_from(["1.0", "", 1]) | json_values,
        "prompt": st.text() | json_values,
        "final_answer": st.text() | json_values,
        "steps": st.lists(
            st.fixed_dictionaries(
                {"i": st.integers(-2, 5) | json_values, "type": st.text(max_size=70), "content": st.text()}
            )
            | json_values,
            max_size=4,
        )
        | json_values,
    },
    optional={"meta": json_values, "extra": json_values},
)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=almost_traces | json_values)
def test_no_json_breaks_the_server(api, body):
    text = json.dumps(body).encode()
    single = send(api, text)
    batch = send(api, b"[" + text + b"]", "/api/traces/batch")
    assert single.status_code in (201, 400, 422)
    assert (batch.status_code == 201) == (single.status_code == 201)
    if single.status_code == 201:
        assert api.get(f"/api/traces/{single.json()['id']}").status_code == 200
