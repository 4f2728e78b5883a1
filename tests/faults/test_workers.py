"""Faults of workers and of the sweeper. What is killed is killed together, so that the leases run out together."""

import os
import signal
import time

import pytest

from tests.faults.conftest import SERVICES
from tests.faults.installation import LEASE, parent_of, signal_group
from tests.faults.invariants import living
from tests.stack import eventually

pytestmark = pytest.mark.slow

LONG = {"steps": 30, "pace": 0.2}  # longer than the lease: whoever came too early would meet the first trainer
NAMES = ("one", "two", "three")
on_services_only = pytest.mark.parametrize("place", [SERVICES], indirect=True)  # where nothing differs on the default


@pytest.fixture
def three(place):
    """Three runs under way, each on a worker of its own, a checkpoint sealed; they waited for each other."""
    place.work_force(*NAMES)
    run_ids = [place.launch(**LONG, hold=6) for _ in NAMES]
    for run_id in run_ids:
        place.under_way(run_id, 5)
    for run_id in run_ids:
        place.fate(place.seed(run_id), pace=LONG["pace"])
    return run_ids


def kill_main(place, run_id):
    place.leave(place.worker_of(run_id)).kill()


def kill_pool_child(place, run_id):
    os.kill(place.pool_child_of(run_id), signal.SIGKILL)


def quit_twice(place, run_id):
    worker = place.leave(place.worker_of(run_id))
    worker.send_signal(signal.SIGQUIT)
    time.sleep(0.2)
    worker.send_signal(signal.SIGQUIT)


def test_a_worker_that_is_killed_takes_its_trainer_along_and_another_goes_on(place, three):
    """By its main process, by the pool child alone, by SIGQUIT twice."""
    trainers = [place.trainer(run_id) for run_id in three]
    for deed, run_id in zip((kill_main, kill_pool_child, quit_twice), three, strict=True):
        deed(place, run_id)
    eventually(lambda: not any(map(running, trainers)), 3, "the trainers are gone with their workers")
    place.work_force(*NAMES)
    for run_id in three:
        seen = place.completed(run_id)
        assert seen["attempt"] >= 2
        assert seen["metrics"]["total_steps"] == LONG["steps"]


@on_services_only
def test_a_worker_that_is_frozen_longer_than_its_lease_writes_nothing_when_it_wakes(place, three):
    frozen, others = three[0], three[1:]
    worker, child = place.processes[place.worker_of(frozen)], place.pool_child_of(frozen)
    first = place.trainer(frozen)
    signal_group(worker.pid, signal.SIGSTOP)
    eventually(lambda: place.look(frozen)["attempt"] == 2, 30, "another worker has it")
    eventually(lambda: place.trainers(frozen) == 2, 30, "another trainer works")
    assert not running(first)
    signal_group(worker.pid, signal.SIGCONT)
    for run_id in (frozen, *others):
        place.completed(run_id)
    assert place.look(frozen)["attempt"] == 2
    assert running(child) or worker.poll() is None


def test_workers_that_are_told_to_stop_hand_their_runs_back_at_a_checkpoint(place, three):
    """Told once, and told twice."""
    began = time.monotonic()
    workers = {name: place.leave(name) for name in NAMES}
    for worker in workers.values():
        worker.terminate()
    workers["two"].terminate()
    for worker in workers.values():
        worker.wait(timeout=30)
    assert time.monotonic() - began < 30
    for run_id in three:
        seen = place.look(run_id)
        assert seen["status"] == "pending"
        assert ("training", "pending", "its worker is stopping") in map(tuple, seen["events"])
        assert not living(str(place.directory(run_id)))
    done = [place.updates(run_id) for run_id in three]
    place.work_force(*NAMES)
    for run_id, before in zip(three, done, strict=True):
        assert place.completed(run_id)
        assert first_update_of_attempt(place, run_id, 2) == before + 1


@on_services_only
def test_workers_that_die_in_the_middle_of_a_claim_leave_runs_that_are_free(place):
    """The rows are locked, so that the claims wait where a test can see them."""
    place.work_force(*NAMES)
    for name in NAMES:
        signal_group(place.processes[name].pid, signal.SIGSTOP)
    run_ids = [place.launch(steps=8) for _ in NAMES]
    with place.postgres.connect() as locker, locker.transaction():
        locker.execute("SELECT id FROM jobs_job WHERE target = ANY(%s::uuid[]) FOR UPDATE", [run_ids])
        for name in NAMES:
            signal_group(place.processes[name].pid, signal.SIGCONT)
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE%'"
        with place.postgres.connect() as looker:
            eventually(lambda: looker.execute(waiting).fetchone()[0] >= len(NAMES), 30, "every worker waits to claim")
        place.kill("one")
        place.leave("two").terminate()
        place.leave("three").send_signal(signal.SIGQUIT)
    place.work_force(*NAMES)
    for run_id in run_ids:
        place.completed(run_id)


@on_services_only
def test_a_cancel_whose_worker_dies_before_it_acts_ends_the_run_as_cancelled(place, three):
    for run_id in three:
        signal_group(place.processes[place.worker_of(run_id)].pid, signal.SIGSTOP)
        assert place.cancel(run_id) == "asked"
    for name in NAMES:
        place.kill(name)
    for run_id in three:
        seen = place.ended(run_id, LEASE + 20)
        assert seen["status"] == "cancelled"
        assert seen["attempt"] == 1
    place.work_force(*NAMES)


@on_services_only
def test_without_a_sweeper_health_says_so_and_with_two_nothing_happens_twice(place):
    place.work_force(*NAMES)
    place.kill("sweeper")
    run_ids = [place.launch(steps=30, pace=0.1) for _ in NAMES]
    sweeper = "next(check for check in looking.state.beacons() if check.name == 'sweeper').state"
    eventually(lambda: place.tell(sweeper) == "late", 20, "health tells that the sweeper is late")
    place.start("sweeper", "manage.py", "sweep", "--seconds", "0.2")
    place.start("second sweeper", "manage.py", "sweep", "--seconds", "0.2")
    for name in NAMES:
        place.kill(name)
    place.work_force(*NAMES)
    for run_id in run_ids:
        place.completed(run_id)
    place.kill("second sweeper")


@on_services_only
def test_everything_dies_at_once_and_everything_goes_on(place, three):
    """As after a reboot, but for the boot's number: that part is tests/jobs."""
    for name in ("sweeper", *NAMES):
        place.kill(name)
    if place.redis:
        place.redis.kill()
        place.redis.start()
    place.work_force(*NAMES)
    for run_id in three:
        assert place.completed(run_id)["attempt"] >= 2


def running(pid: int) -> bool:
    return parent_of(pid) != 0 and state_of(pid) != "Z"


def state_of(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def first_update_of_attempt(place, run_id: str, attempt: int) -> int:
    lines = (place.directory(run_id) / "train.log").read_text().splitlines()
    begun = [i for i, line in enumerate(lines) if line.endswith(" training")]
    return int(next(line for line in lines[begun[attempt - 1] :] if " step " in line).split(" step ")[1].split("/")[0])
