"""What tests share: a home of their own, people who are signed in, and the services they need."""

import os
import tempfile
from pathlib import Path

# Before Django reads its settings: tests never touch the home of the person who runs them.
os.environ["TUNIXRT_HOME"] = tempfile.mkdtemp(prefix="tunixrt-test-")
os.environ.setdefault("SECRET_KEY", "tests-only-" + "x" * 50)

import hypothesis
import pytest

from tests import needs

hypothesis.settings.register_profile("tunixrt", deadline=None)  # how fast something is, benchmarks say
hypothesis.settings.load_profile("tunixrt")

REQUIRE_ALL = bool(os.environ.get("TESTS_REQUIRE_ALL"))  # set in CI: there a skipped test is a failed one


NOT_RUN = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(config, items):
    """Leaves out what even CI may lack, and remembers why."""
    reasons = {marker: reason for marker, missing in needs.OPTIONAL.items() if (reason := missing())}
    left_out = [item for item in items if any(item.get_closest_marker(marker) for marker in reasons)]
    config.stash[NOT_RUN] = list(reasons.values()) if left_out else []
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_runtest_setup(item):
    for marker, missing in needs.MISSING.items():
        reason = item.get_closest_marker(marker) and missing()
        if reason:
            (pytest.fail if REQUIRE_ALL else pytest.skip)(reason)


def pytest_terminal_summary(terminalreporter, config):
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = sorted({str(report.longrepr[-1]) for report in skipped if isinstance(report.longrepr, tuple)})
    for reason in reasons + config.stash.get(NOT_RUN, []):
        terminalreporter.write_line(f"not run here: {reason.removeprefix('Skipped: ')}")


def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if REQUIRE_ALL and exitstatus == 0 and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def home(tmp_path_factory, settings) -> Path:
    """A fresh TUNIXRT_HOME for each test."""
    settings.TUNIXRT_HOME = tmp_path_factory.mktemp("home")
    return settings.TUNIXRT_HOME


@pytest.fixture(autouse=True)
def rung(monkeypatch) -> list:
    """The jobs that were rung for. Nobody answers: a test does the work itself or starts real workers."""
    bells: list = []
    monkeypatch.setattr("tunixrt.jobs.work.ring", bells.append)
    return bells


@pytest.fixture
def user(db, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real ones take half a second
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
