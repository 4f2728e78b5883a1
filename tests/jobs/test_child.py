import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tunixrt.jobs import child
from tunixrt.jobs.models import Cancelled, HandBack, Job, Lost

pytestmark = pytest.mark.django_db

PROGRAM = """
import json, os, signal, sys
print("no event, just words", flush=True)
print(json.dumps({"event": "progress", "done": 1, "total": 2}), flush=True)
%s
"""
READY = """
print(json.dumps({"event": "ready", "pid": os.getpid()}), flush=True)
while True:
    signal.pause()
"""
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)" + READY


@pytest.fixture
def job(settings):
    settings.RUN_HEARTBEAT_SECONDS, settings.RUN_GRACE_SECONDS = 0, 1
    job = Job.objects.create(kind="tests", queue="short", target=uuid.uuid4())
    assert job.claim()
    return job


def watch(job: Job, home: Path, program: str, on_event=lambda event: None) -> tuple[int, str]:
    log = home / "log"
    code = child.supervise(job, [sys.executable, "-c", PROGRAM % program], log_file=log, on_event=on_event)
    return code, log.read_text()


def gone(pid: int) -> bool:
    return subprocess.run(["ps", "-p", str(pid)], capture_output=True).returncode != 0


def test_events_reach_the_supervisor_and_errors_the_log(job, home):
    events = []
    code, log = watch(job, home, "print('oh no', file=sys.stderr); sys.exit(3)", events.append)
    assert code == 3
    assert events == [{"event": "progress", "done": 1, "total": 2}]
    assert log == "oh no\n"


def test_a_child_that_is_killed_is_seen_as_killed(job, home):
    assert watch(job, home, "os.kill(os.getpid(), signal.SIGKILL)")[0] == -9


@pytest.mark.parametrize("manner", [READY, DEAF], ids=["listens", "is deaf"])
def test_cancel_ends_the_child_whether_or_not_it_listens(job, home, manner):
    pids = []

    def cancel_once_ready(event):
        if event["event"] == "ready":
            pids.append(event["pid"])
            Job.objects.filter(pk=job.pk).update(cancel_requested=True)

    with pytest.raises(Cancelled):
        watch(job, home, manner, cancel_once_ready)
    assert gone(pids[0])


def test_the_child_is_ended_when_the_row_has_another_owner(job, home):
    def rob(event):
        Job.objects.filter(pk=job.pk).update(owner=uuid.uuid4())

    with pytest.raises(Lost):
        watch(job, home, READY, rob)


def test_a_worker_that_is_told_to_stop_hands_the_work_back(job, home):
    file = child.drain_file(os.getppid())
    file.parent.mkdir(parents=True)
    with pytest.raises(HandBack):
        watch(job, home, READY, lambda event: file.touch())


def test_the_child_knows_no_secret(settings, monkeypatch):
    for name in ("SECRET_KEY", "DATABASE_URL", "CELERY_BROKER_URL"):
        monkeypatch.setenv(name, "secret")
    assert "secret" not in child.child_environment().values()


def test_the_child_knows_how_much_memory_it_may_take(monkeypatch):
    monkeypatch.setenv("RUN_MEMORY_BYTES", "123456789")
    assert child.child_environment()["RUN_MEMORY_BYTES"] == "123456789"
