"""Everything needs a login or a token, except health."""

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from knox.models import AuthToken

from tests.factories import NOBODY

pytestmark = pytest.mark.django_db

OPEN = {"login", "health", "ready", "favicon"}
SAMPLES = {"uuid": NOBODY, "int": "1", "str": "some-key", "path": "a/b.txt", "slug": "a-b"}


def addresses(resolver: URLResolver, prefix: str = ""):
    """Every pattern below `resolver` as (name, path), with a sample value for each argument."""
    for entry in resolver.url_patterns:
        route = str(entry.pattern).lstrip("^").rstrip("$")
        for argument, converter in entry.pattern.converters.items():
            kind = type(converter).__name__.removesuffix("Converter").lower()
            kind = {"string": "str"}.get(kind, kind)
            route = route.replace(f"<{kind}:{argument}>", SAMPLES.get(kind, "x")).replace(f"<{argument}>", "x")
        if isinstance(entry, URLPattern):
            yield entry.name, "/" + prefix + route
        else:
            yield from addresses(entry, prefix + route)


ALL = [(name, path) for name, path in addresses(get_resolver()) if name not in OPEN and "(?P" not in path]


def test_the_walk_sees_every_room():
    names = {name for name, _ in ALL}
    assert {"home", "trace_list", "dataset_list", "run_list", "api_runs", "schema", "docs", "index"} <= names
    assert len(ALL) > 80


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
@pytest.mark.parametrize(("name", "path"), ALL, ids=[path for _, path in ALL])
def test_a_stranger_gets_nothing(client, name, path, method):
    response = getattr(client, method)(path)
    refused = response.status_code in (401, 403)
    sent_to_login = response.status_code == 302 and "login" in response["Location"]
    assert refused or sent_to_login, f"{method} {path}: {response.status_code}"


@pytest.mark.parametrize(
    "header",
    ["Token wrong", "Token", "Bearer x", "Token \udce9".encode("utf-8", "replace").decode(), "Token \xff\xfe"],
)
def test_a_wrong_token_opens_nothing(client, header):
    assert client.get("/api/traces", headers={"Authorization": header}).status_code == 401


def test_health_is_open_and_says_no_more_than_that(client):
    response = client.get("/api/health")
    assert (response.status_code, response.json()) == (200, {"status": "healthy"})


def test_ready_names_each_part(client):
    checks = client.get("/api/health/ready").json()["checks"]
    assert set(checks) == {"database", "migrations", "broker", "workers", "sweeper", "disk"}
    assert checks["database"]["state"] == "ok"


@pytest.mark.parametrize("path", ["/traces/import/", "/datasets/build/", "/runs/launch/", "/tokens", "/logout"])
def test_a_post_from_another_site_is_refused(user, path):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post(path).status_code == 403


def test_the_api_by_session_asks_for_the_csrf_token_too(user):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post("/api/traces", data="{}", content_type="application/json").status_code == 403


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"path": "/api/traces/import", "data": {f"field{i}": "x" for i in range(1001)}}, 400),
        ({"path": "/api/health", "data": {}}, 403),
    ],
)
def test_what_the_frame_refuses_under_api_is_json_too(user, request_, status):
    strict = Client(enforce_csrf_checks=True)
    token = AuthToken.objects.create(user)[1]
    response = strict.post(**request_, headers={"Authorization": f"Token {token}"})
    assert response.status_code == status
    assert set(response.json()) == {"detail", "code", "request_id", "errors"}


def test_a_page_refused_for_its_host_is_400_and_says_so(client):
    response = client.get("/login", headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert b"cannot be read" in response.content


def test_health_answers_head_for_load_balancers(client):
    assert client.head("/api/health").status_code == client.head("/api/health/ready").status_code == 200


def test_get_never_logs_out(client_in):
    client_in.get("/logout")
    assert client_in.get("/").status_code == 200


def test_revoking_what_can_be_no_token_revokes_nothing(client_in):
    client_in.post("/tokens")
    client_in.post("/tokens", {"revoke": "a\0b"})
    assert AuthToken.objects.count() == 1


def test_a_token_is_shown_once_works_and_can_be_revoked(client_in, client):
    page = client_in.post("/tokens")
    token = page.context["made"]
    assert token in page.content.decode()
    header = {"Authorization": f"Token {token}"}
    assert Client().get("/api/traces", headers=header).status_code == 200
    listed = client_in.get("/tokens")
    assert token not in listed.content.decode()
    client_in.post("/tokens", {"revoke": listed.context["tokens"][0].token_key})
    assert Client().get("/api/traces", headers=header).status_code == 401
