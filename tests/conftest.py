"""What tests share: a home of their own, people who are signed in, and the services they need."""

import os
import tempfile

# Before Django reads its settings: tests never touch the home of the person who runs them.
os.environ["TUNIXRT_HOME"] = tempfile.mkdtemp(prefix="tunixrt-test-")
os.environ.setdefault("SECRET_KEY", "tests-only-" + "x" * 50)

import pytest  # noqa: E402


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    """A fresh TUNIXRT_HOME for each test."""
    settings.TUNIXRT_HOME = tmp_path / "home"
    settings.TUNIXRT_HOME.mkdir()
    return settings.TUNIXRT_HOME


@pytest.fixture(autouse=True)
def no_bell(monkeypatch):
    """Work is rung for by the tests that start a worker; all others call what they mean."""
    rung: list = []
    monkeypatch.setattr("tunixrt.jobs.work.ring", rung.append)
    return rung


@pytest.fixture
def user(db):
    from django.contrib.auth import get_user_model

    return get_user_model().objects.create_user("ada", password="correct horse battery")


@pytest.fixture
def client_in(client, user):
    """A browser whose person is signed in."""
    client.force_login(user)
    return client


@pytest.fixture
def api(user):
    """An API client with a token."""
    from knox.models import AuthToken
    from rest_framework.test import APIClient

    _, token = AuthToken.objects.create(user)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client
