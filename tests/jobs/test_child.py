import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from training.files import write_json_atomic
from tunixrt.jobs import child, draining
from tunixrt.jobs.models import Cancelled, HandBack, Job, Lost
from tunixrt.lib.machines import birth, boot_id

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


def noted_of(process: subprocess.Popen, home: Path) -> dict:
    """What a supervisor writes down of its child."""
    return {"pid": process.pid, "birth": birth(process.pid), "boot": boot_id(), "directory": str(home.resolve())}


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
    file = draining.drain_file(os.getppid())
    file.parent.mkdir(parents=True)
    with pytest.raises(HandBack):
        watch(job, home, READY, lambda event: file.touch())


def test_the_checkpoint_that_a_stopped_child_seals_is_heard_of(job, home):
    seals = """
def seal(*_):
    print(json.dumps({"event": "checkpoint", "step": 7}), flush=True)
    sys.exit(75)
signal.signal(signal.SIGTERM, seal)"""
    file, heard = draining.drain_file(os.getppid()), []
    file.parent.mkdir(parents=True)

    def stop_once_ready(event):
        heard.append(event["event"])
        file.touch()

    with pytest.raises(HandBack):
        watch(job, home, seals + READY, stop_once_ready)
    assert heard[-1] == "checkpoint"


def test_the_child_knows_no_secret(settings, monkeypatch):
    for name in ("SECRET_KEY", "DATABASE_URL", "CELERY_BROKER_URL"):
        monkeypatch.setenv(name, "secret")
    assert "secret" not in child.child_environment().values()


@pytest.mark.parametrize("name", ["RUN_MEMORY_BYTES", "RUN_THREADS"])
def test_the_child_knows_how_much_memory_and_how_many_cores_it_may_take(monkeypatch, name):
    monkeypatch.setenv(name, "123456789")
    assert child.child_environment()[name] == "123456789"


def test_a_child_that_hangs_is_ended_and_may_be_tried_again(job, home, settings):
    settings.RUN_STALL_SECONDS = 1
    with pytest.raises(HandBack, match="nothing heard of it for 1 s"):
        watch(job, home, READY)


def test_before_its_first_update_a_child_may_be_silent_for_longer(job, home, settings):
    settings.RUN_STALL_SECONDS = 1
    quiet = [sys.executable, "-c", "import signal; signal.pause()"]
    with pytest.raises(HandBack, match="nothing heard of it for 3 s"):
        child.supervise(job, quiet, log_file=home / "log", on_event=print)


def test_a_child_that_outlived_its_supervisor_is_ended_before_the_next_one_starts(job, home):
    orphan = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
    write_json_atomic(home / child.CHILD, noted_of(orphan, home))
    try:
        assert watch(job, home, "") == (0, "")
        assert birth(orphan.pid) == ""
        assert not (home / child.CHILD).exists()
    finally:
        orphan.kill()
        orphan.wait()


@pytest.mark.parametrize(
    "noted",
    [
        {"birth": "1"},
        {"boot": "another start of the machine"},
        {"directory": "/of/the/original"},
        {"birth": ""},
        {"pid": 1},
        {"pid": "text"},
        [],
    ],
    ids=str,
)
def test_a_process_that_only_has_an_orphans_number_is_left_alone(job, home, noted):
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    own = noted_of(stranger, home)
    write_json_atomic(home / child.CHILD, own | noted if isinstance(noted, dict) else noted)
    try:
        watch(job, home, "")
        assert birth(stranger.pid) == own["birth"]
    finally:
        stranger.kill()
        stranger.communicate()
