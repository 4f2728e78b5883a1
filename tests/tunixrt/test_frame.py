import os
import subprocess
import sys
import time

import pytest
import redis
from celery import Celery
from django.core.management import CommandError, call_command
from django.db import OperationalError

from tests.needs import REDIS_URL, ROOT
from tunixrt import state


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True
    )


def test_pages_and_api_load_no_jax():
    done = python(
        "import django, os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'tunixrt.settings'; django.setup();"
        "import tunixrt.urls, tunixrt.celery, runs.tasks, runs.pipeline; assert 'jax' not in sys.modules"
    )
    assert done.returncode == 0, done.stderr


def test_training_needs_no_django():
    done = python(
        "import sys; sys.modules['django'] = None; sys.modules['celery'] = None;"
        "import training.judges, training.renderers, training.config, training.plan, training.problems;"
        "assert 'jax' not in sys.modules; import training.train_jax, training.eval_run, training.engine.loop"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("RUN_HEARTBEAT_SECONDS", "often", "whole number from 1 to 600"),
        ("TRACE_MAX_BYTES", "-1", "whole number"),
        ("DEBUG", "maybe", "one of true, false"),
        ("RUN_DEVICE", "abacus", "one of auto, cpu, gpu, tpu"),
        ("RUN_PYTHON", "/no/python", "the path of a program"),
        ("TUNIX_PYTHON", "/no/python", "the path of a program"),
        ("APP_ENV", "prod", "one of laptop, production"),
        ("RUN_LEASE_SECONDS", "5", "at least three times RUN_HEARTBEAT_SECONDS"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_its_name_and_what_is_allowed(name, value, allowed):
    done = python("import tunixrt.settings", **{name: value})
    assert done.returncode != 0
    assert name in done.stderr
    assert allowed in done.stderr


def test_production_refuses_to_start_with_the_laptops_settings():
    done = python("import tunixrt.settings", APP_ENV="production", SECRET_KEY="short")
    assert "APP_ENV=production" in done.stderr


def test_the_secret_key_is_drawn_once_and_kept_for_its_owner_only(tmp_path):
    code = "from tunixrt.settings import SECRET_KEY; print(SECRET_KEY)"
    first, second = (python(code, SECRET_KEY="", TUNIXRT_HOME=str(tmp_path)).stdout for _ in range(2))
    assert first == second
    assert len(first) > 40
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.django_db
def test_pages_allow_only_their_own_scripts_and_styles(client_in):
    for path in ("/", "/traces/", "/runs/", "/admin/"):
        response = client_in.get(path)
        policy = response["Content-Security-Policy"]
        assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= set(policy.split("; "))
        assert "unsafe" not in policy
        assert response["X-Content-Type-Options"] == "nosniff"
        assert b"style=" not in response.content


@pytest.mark.django_db
def test_the_schema_describes_every_endpoint_without_a_warning(capsys):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/nothing", "/nothing", "/datasets/a%00b/", "/runs/not-a-uuid/"])
def test_what_is_not_there_is_404_with_a_request_id(client_in, path):
    response = client_in.get(path)
    assert response.status_code == 404
    assert response["X-Request-ID"]


@pytest.mark.parametrize(
    ("command", "option", "value"), [("up", "port", 99999), ("up", "port", -1), ("sweep", "seconds", -1.0)]
)
def test_a_number_that_cannot_be_is_wrong_use(command, option, value):
    with pytest.raises(CommandError, match=f"--{option} {value}: must") as refused:
        call_command(command, **{option: value})
    assert refused.value.returncode == 2


@pytest.mark.django_db
def test_the_home_page_of_an_empty_installation_teaches_the_first_step(client_in):
    assert b"make demo" in client_in.get("/").content


@pytest.mark.django_db
def test_doctor_tells_what_answers_and_what_is_installed(capsys):
    call_command("doctor")
    printed = capsys.readouterr().out
    assert "ok  database" in printed
    assert "jax 0." in printed


@pytest.mark.django_db
def test_while_the_database_does_not_answer_pages_and_api_say_so_and_when_to_come_back(client_in, api, monkeypatch):
    client_in.raise_request_exception = False

    def broken(*args, **options):
        raise OperationalError("server closed the connection unexpectedly: password hunter2")

    monkeypatch.setattr("django.db.models.sql.compiler.SQLCompiler.execute_sql", broken)
    for client, path in ((client_in, "/"), (client_in, "/runs/"), (api, "/api/runs")):
        response = client.get(path)
        assert (response.status_code, response["Retry-After"]) == (503, "5")
        assert b"The database does not answer. Try again" in response.content
        assert b"hunter2" not in response.content


@pytest.mark.django_db
def test_the_sweeper_removes_uploads_that_were_cut_off_and_no_others(home, settings):
    settings.FILE_UPLOAD_TEMP_DIR = home / "uploads"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    old, new = (settings.FILE_UPLOAD_TEMP_DIR / name for name in ("old.upload", "new.upload"))
    for path in (old, new):
        path.write_text("rows")
    an_hour_ago = time.time() - 3601
    os.utime(old, (an_hour_ago, an_hour_ago))
    call_command("sweep", once=True)
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.services
def test_a_redis_that_throws_messages_away_is_refused(settings, monkeypatch):
    settings.CELERY_BROKER_URL = REDIS_URL
    app = Celery(broker=REDIS_URL, set_as_current=False)
    monkeypatch.setattr("tunixrt.state.current_app", app)
    assert state.broker().state == "ok"
    monkeypatch.setattr(redis.Redis, "config_get", lambda self, name: {name: "allkeys-lru"})
    check = state.broker()
    assert (check.state, "allkeys-lru" in check.detail) == ("down", True)
