"""Faults of the database: nobody waits without end, nothing is half written, and what runs goes on or ends itself."""

import contextlib
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.faults.conftest import SERVICES
from tests.faults.installation import LEASE
from tests.faults.invariants import living

pytestmark = pytest.mark.slow
on_services = pytest.mark.parametrize("place", [SERVICES], indirect=True)
on_embedded = pytest.mark.parametrize("place", ["embedded"], indirect=True)


def under_way(place) -> list[str]:
    run_ids = [place.launch(steps=25, pace=0.2) for _ in range(2)]
    for run_id in run_ids:
        place.under_way(run_id)
    return run_ids


@on_services
@pytest.mark.parametrize("seconds", [0, LEASE + 1], ids=["for a moment", "longer than the lease"])
def test_a_database_that_crashes_costs_no_update(place, seconds):
    place.ask_web("GET", "/api/runs")
    run_ids = under_way(place)
    place.postgres.stop()
    down = time.monotonic()
    if seconds:
        for path in ("/api/runs", "/runs/"):
            answer = place.ask_web("GET", path)
            assert (answer.status, answer.headers.get("Retry-After")) == (503, "5"), path
            assert "Traceback" not in answer.text
        time.sleep(max(0, down + seconds - time.monotonic()))  # the length of the fault, not a wait for something
        assert not any(living(str(place.directory(run_id))) for run_id in run_ids)  # they ended themselves
    place.postgres.start()
    for run_id in run_ids:
        place.completed(run_id)
    assert place.ask_web("GET", "/api/runs").status == 200


@pytest.fixture(autouse=True)
def up_again(place):
    """A test that fails while the database is down leaves the next one a chance."""
    yield
    if place.postgres:
        place.postgres.start()


@on_services
def test_a_database_without_connections_left_answers_unavailable_and_recovers(place):
    place.ask_web("GET", "/api/health")
    run_ids = under_way(place)
    with contextlib.ExitStack() as taken:
        with contextlib.suppress(psycopg.OperationalError):
            for _ in range(80):
                taken.enter_context(place.postgres.connect())
        with ThreadPoolExecutor(6) as pool:  # more than the connections that the web server holds already
            answers = list(pool.map(lambda _: place.ask_web("GET", "/api/runs"), range(6)))
        assert {answer.status for answer in answers} <= {200, 503}
        assert max(answer.seconds for answer in answers) < 10
    for run_id in run_ids:
        place.completed(run_id)


@on_services
def test_a_locked_table_holds_nobody_for_ever(place):
    place.ask_web("GET", "/api/runs")
    run_ids = under_way(place)
    with place.postgres.connect() as locker, locker.transaction():
        locker.execute("LOCK TABLE runs_run IN ACCESS EXCLUSIVE MODE")
        answer = place.ask_web("GET", "/api/runs", timeout=60)
        assert (answer.status, answer.headers.get("Retry-After")) == (503, "5")
        assert answer.seconds < 10
    assert place.ask_web("GET", "/api/runs").status == 200
    for run_id in run_ids:
        place.completed(run_id)


@on_embedded
def test_a_locked_file_is_waited_for_and_then_answered_with_unavailable(place):
    place.ask_web("GET", "/api/runs")
    run_ids = under_way(place)
    with contextlib.closing(sqlite3.connect(place.home / "db.sqlite3", isolation_level=None)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        answer = place.submit()
        assert (answer.status, answer.headers.get("Retry-After")) == (503, "5")
        assert 15 < answer.seconds < 28
        assert place.ask_web("GET", "/api/runs").status == 200  # who only reads does not wait
        locker.execute("ROLLBACK")
    for run_id in run_ids:
        place.completed(run_id)
    assert place.processes["sweeper"].poll() is None
