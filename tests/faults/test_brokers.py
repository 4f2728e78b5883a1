"""Faults of Redis: a ring is a hint, and the row is the queue."""

import subprocess

import pytest

from tests.faults.conftest import SERVICES
from tests.stack import eventually

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("place", [SERVICES], indirect=True)]


@pytest.fixture
def under_way(place):
    """A run that a worker is busy with for longer than any of these faults lasts."""
    place.ask_web("GET", "/api/runs")
    run_id = place.launch(steps=25, pace=0.2)
    place.under_way(run_id)
    yield run_id
    if place.redis.process.poll() is not None:
        place.redis.start()


def test_a_flushed_broker_loses_no_run_and_disturbs_none(place, under_way):
    waiting = [place.launch() for _ in range(4)]
    place.redis.client().flushall()
    for run_id in (under_way, *waiting):
        place.completed(run_id)
    assert place.look(under_way)["attempt"] == 1


@pytest.mark.parametrize("appendonly", ["no", "yes"])
def test_a_broker_that_is_killed_costs_no_run_whether_or_not_it_remembers(place, under_way, appendonly):
    place.redis.client().config_set("appendonly", appendonly)
    place.redis.kill()
    answers = [place.submit() for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201]
    assert max(answer.seconds for answer in answers) < 5
    health = place.ask_web("GET", "/api/health/ready")
    assert (health.status, health.json["checks"]["broker"]["state"]) == (503, "down")
    waiting = [answer.json["id"] for answer in answers]
    assert [place.status(run_id) for run_id in waiting] == ["pending", "pending"]
    place.redis.start("--appendonly", appendonly)
    for run_id in (under_way, *waiting):
        place.completed(run_id)
    assert place.look(under_way)["attempt"] == 1


def test_a_frozen_broker_keeps_nobody_waiting(place, under_way):
    with place.redis.frozen():
        answer = place.submit()
        assert answer.status == 201
        assert answer.seconds < 12
        assert place.ask_web("GET", "/api/health/ready").json["status"] == "degraded"
        assert place.ask_web("GET", "/api/runs").status == 200
    for run_id in (under_way, answer.json["id"]):
        place.completed(run_id)


def test_a_broker_that_is_full_takes_no_ring_and_loses_no_run(place, under_way):
    broker = place.redis.client()
    broker.config_set("maxmemory", "1mb")
    answer = place.submit()
    assert answer.status == 201
    broker.config_set("maxmemory", "0")
    for run_id in (under_way, answer.json["id"]):
        place.completed(run_id)


def test_messages_that_come_twice_late_or_for_nobody_train_nothing_twice(place, under_way):
    run_id = place.launch(steps=8)
    job = f"jobs.Job.objects.for_target({run_id!r}).last()"
    place.tell(f"[work.ring({job}) for _ in range(3)]")
    place.completed(run_id)
    place.tell(f"[work.ring({job}) for _ in range(2)]")
    place.tell("work.ring(jobs.Job(kind='train_run', queue='runs'))")
    place.completed(under_way)
    eventually(lambda: place.redis.client().llen("runs") == 0, 20, "the messages are taken")
    assert place.completed(run_id)["attempt"] == 1


def test_a_worker_refuses_a_broker_that_may_forget_messages(place):
    broker = place.redis.client()
    broker.config_set("maxmemory-policy", "allkeys-lru")
    try:
        worker = place.start_worker("refusing")
        assert worker.wait(timeout=60) != 0
        assert "noeviction" in (place.home / "refusing.log").read_text()
    except subprocess.TimeoutExpired:
        pytest.fail("the worker started")
    finally:
        place.kill("refusing")
        broker.config_set("maxmemory-policy", "noeviction")
