import os
import uuid
from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError, transaction

from tunixrt.jobs import work
from tunixrt.jobs.draining import drain_file
from tunixrt.jobs.models import WORK_VERSION, Cancelled, HandBack, Interrupted, Job, Lost
from tunixrt.lib.errors import Conflict

pytestmark = pytest.mark.django_db


class Recorded(work.Work):
    """A kind of work whose body the test sets; it notes what the mechanism told it."""

    kind = "tests.recorded"
    attempts = 2

    def __init__(self):
        self.told = []
        self.act = lambda job: None

    def started(self, job):
        self.told.append("started")

    def body(self, job):
        self.act(job)

    def released(self, job, reason):
        self.told.append(f"released: {reason}")

    def ended(self, job):
        self.told.append(f"{job.status}: {job.error}" if job.error else job.status)


@pytest.fixture
def kind(monkeypatch):
    recorded = Recorded()
    monkeypatch.setitem(work.KINDS, recorded.kind, recorded)
    return recorded


@pytest.fixture
def job(kind):
    return work.enqueue(kind.kind, target=uuid.uuid4())


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_worker_that_was_told_to_stop_begins_nothing(home, monkeypatch):
    class Fresh(Recorded):
        kind = f"tests.{uuid.uuid4().hex[:8]}"  # Celery keeps the first task of a name

    monkeypatch.setattr(work, "close_old_connections", lambda: None)  # the test's own transaction lives in one
    monkeypatch.setitem(work.KINDS, Fresh.kind, None)
    task = work.long_task(Fresh)
    kind, told_to_stop = work.KINDS[Fresh.kind], drain_file(os.getppid())
    job = work.enqueue(Fresh.kind, target=uuid.uuid4())
    told_to_stop.parent.mkdir(parents=True, exist_ok=True)
    told_to_stop.touch()
    task(str(job.pk))
    assert kind.told == []
    assert Job.objects.get(pk=job.pk).status == "queued"
    told_to_stop.unlink()
    task(str(job.pk))
    assert kind.told == ["started", "done"]


def test_work_runs_from_queued_to_done(kind, job):
    work.perform(job.pk)
    job.refresh_from_db()
    assert kind.told == ["started", "done"]
    assert (job.status, job.owner, job.attempt) == ("done", None, 1)
    assert job.finished_at is not None


def test_a_bell_is_rung_only_after_the_commit(kind, rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        job = work.enqueue(kind.kind, target=uuid.uuid4())
        assert rung == []
    assert rung == [job]


def test_work_done_here_is_rung_for_by_nobody(kind, rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        job = work.enqueue(kind.kind, target=uuid.uuid4(), here=True)
    work.perform(job.pk)
    assert rung == []
    assert kind.told == ["started", "done"]


def test_a_doubled_message_finds_nothing_to_claim(kind, job):
    kind.act = lambda held: work.perform(held.pk)  # the second delivery arrives while the first is at work
    work.perform(job.pk)
    work.perform(job.pk)
    assert kind.told == ["started", "done"]


def test_a_message_for_a_row_that_is_gone_does_nothing(kind):
    work.perform(uuid.uuid4())
    assert kind.told == []


def test_one_target_has_one_open_job(kind, job):
    with pytest.raises(Exception, match=r"(?i)unique"), transaction.atomic():
        work.enqueue(kind.kind, target=job.target)


def test_a_refusal_fails_the_job_with_its_sentence(kind, job):
    def refuse(held):
        raise Conflict("the key is taken")

    kind.act = refuse
    work.perform(job.pk)
    assert kind.told == ["started", "failed: the key is taken"]


def test_a_bug_fails_the_job_and_names_itself(kind, job):
    kind.act = lambda held: 1 / 0
    work.perform(job.pk)
    assert kind.told[-1].startswith("failed: ZeroDivisionError")


def test_handed_back_work_waits_again_until_it_was_tried_often_enough(kind, job):
    def give_up(held):
        raise HandBack("its worker is stopping")

    kind.act = give_up
    work.perform(job.pk)
    job.refresh_from_db()
    assert (job.status, job.owner) == ("queued", None)
    work.perform(job.pk)
    assert kind.told[1] == "released: its worker is stopping"
    assert kind.told[-1] == "failed: its worker is stopping (2 attempts without progress)"


def test_progress_starts_the_count_of_attempts_anew(kind, job):
    def give_up_after_progress(held):
        held.made_progress()
        raise HandBack("again")

    kind.act = give_up_after_progress
    for _ in range(5):
        work.perform(job.pk)
    job.refresh_from_db()
    assert (job.status, job.attempt) == ("queued", 5)


def test_cancel_of_waiting_work_ends_it_at_once(kind, job):
    work.cancel(job)
    assert kind.told == ["cancelled"]
    work.perform(job.pk)
    assert kind.told == ["cancelled"]


def test_cancel_of_running_work_reaches_its_owner_at_the_next_tick(kind, job):
    def work_on(held):
        work.cancel(Job.objects.get(pk=held.pk))
        held.tick(1, 2, "half way")

    kind.act = work_on
    work.perform(job.pk)
    assert kind.told == ["started", "cancelled: cancelled on request"]


def test_who_lost_the_row_writes_nothing(kind, job):
    def be_robbed(held):
        Job.objects.filter(pk=held.pk).update(owner=uuid.uuid4())
        held.tick()

    kind.act = be_robbed
    work.perform(job.pk)
    job.refresh_from_db()
    assert kind.told == ["started"]
    assert job.status == "running"


def test_the_sweeper_takes_back_what_fell_silent_and_leaves_what_lives(kind, job):
    clock = Clock()
    sweeper = work.Sweeper(lease_seconds=90, clock=clock)
    assert job.claim()
    sweeper.sweep()
    clock.now = 80
    job.tick()
    sweeper.sweep()
    clock.now = 160
    sweeper.sweep()
    job.refresh_from_db()
    assert job.status == "running"
    clock.now = 171
    sweeper.sweep()
    job.refresh_from_db()
    assert job.status == "queued"
    assert kind.told == ["released: its worker fell silent"]


def test_the_silent_owner_that_wakes_up_is_told_that_it_lost(kind, job):
    clock = Clock()
    sweeper = work.Sweeper(lease_seconds=1, clock=clock)
    job.claim()
    sweeper.sweep()
    clock.now = 2
    sweeper.sweep()
    with pytest.raises(Lost):
        job.tick()
    with pytest.raises(Lost):
        job.end(Job.Status.DONE)


def test_work_whose_owner_died_after_a_cancel_ends_as_cancelled(kind, job):
    clock = Clock()
    sweeper = work.Sweeper(lease_seconds=1, clock=clock)
    job.claim()
    work.cancel(Job.objects.get(pk=job.pk))
    with pytest.raises(Cancelled):
        job.tick()
    sweeper.sweep()
    clock.now = 2
    sweeper.sweep()
    assert kind.told == ["cancelled: cancelled on request"]


def test_work_claimed_before_its_machine_was_started_anew_is_taken_back_before_the_lease_is_over(
    kind, job, monkeypatch, settings
):
    settings.RUN_HEARTBEAT_SECONDS = 2
    monkeypatch.setattr(work, "doorbells", lambda queue: 1)
    monkeypatch.setattr("tunixrt.jobs.models.boot_id", lambda: "the start before")
    assert job.claim()
    monkeypatch.setattr("tunixrt.jobs.models.boot_id", lambda: "this start")
    clock = Clock()
    sweeper = work.Sweeper(lease_seconds=9, clock=clock)
    sweeper.sweep()
    job.refresh_from_db()
    assert job.status == "running"  # another machine of the same name may be beating
    clock.now = 4.5
    sweeper.sweep()
    job.refresh_from_db()
    assert (job.status, job.message) == ("queued", "its machine was started anew")


def test_work_of_another_machine_is_not_judged_by_the_start_of_this_one(kind, job, monkeypatch):
    monkeypatch.setattr(work, "doorbells", lambda queue: 1)
    assert job.claim()
    Job.objects.filter(pk=job.pk).update(worker="elsewhere:1", boot="another")
    work.Sweeper(lease_seconds=9).sweep()
    job.refresh_from_db()
    assert job.status == "running"


def test_work_that_newer_code_asks_for_is_left_to_newer_code(kind, job):
    Job.objects.filter(pk=job.pk).update(version=WORK_VERSION + 1)
    work.perform(job.pk)
    job.refresh_from_db()
    assert (job.status, job.attempt, kind.told) == ("queued", 0, [])


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_does_not_answer_is_no_failure_of_the_work(kind, job, error, monkeypatch):
    monkeypatch.setattr(work.connection, "close", lambda: None)

    def act(job):
        raise error("the connection is lost")

    kind.act = act
    work.perform(job.pk)
    job.refresh_from_db()
    assert (job.status, job.message) == ("queued", "the database did not answer")


def test_however_often_workers_are_stopped_in_order_the_work_goes_on(kind, job):
    def act(job):
        raise Interrupted("its worker is stopping")

    kind.act = act
    for _ in range(kind.attempts + 1):
        work.perform(job.pk)
    job.refresh_from_db()
    assert (job.status, job.stalls, job.attempt) == ("queued", 0, kind.attempts + 1)


def test_one_that_cannot_be_taken_back_keeps_no_other_from_it(kind, job, monkeypatch):
    monkeypatch.setattr(work, "doorbells", lambda queue: 1)
    odd = Job.objects.create(kind="nobody.knows", queue="short", target=uuid.uuid4())
    for each in (odd, job):
        assert each.claim()
    clock = Clock()
    sweeper = work.Sweeper(lease_seconds=9, clock=clock)
    for clock.now in (0.0, 10.0):
        sweeper.sweep()
    for each in (odd, job):
        each.refresh_from_db()
    assert (odd.status, job.status) == ("running", "queued")


def test_a_lost_bell_is_rung_again_but_bells_never_pile_up(kind, job, rung, monkeypatch):
    sweeper = work.Sweeper(lease_seconds=1)
    rung.clear()
    monkeypatch.setattr(work, "doorbells", lambda queue: 0)
    sweeper.sweep()
    assert rung == [job]
    monkeypatch.setattr(work, "doorbells", lambda queue: 1)
    sweeper.sweep()
    assert rung == [job]


def test_progress_tells_percent_and_what_is_left(kind, job):
    job.claim()
    job.tick(25, 100, "loading")
    assert job.percent == 25
    assert job.eta_seconds is not None


def test_what_an_earlier_attempt_did_does_not_make_the_present_one_look_faster(kind, job):
    job.claim()
    job.tick(90, 100)
    job.release("its worker is stopping")
    job.claim()
    assert job.eta_seconds is None
    Job.objects.filter(pk=job.pk).update(done=92, started_at=job.started_at - timedelta(seconds=10))
    job.refresh_from_db()
    assert 40 <= job.eta_seconds < 60  # 8 to go at 2 in ten seconds


def test_who_could_not_be_rung_for_is_told_so_until_the_queue_answers(kind, monkeypatch, settings):
    monkeypatch.undo()  # the real bell, at a broker that is not there
    monkeypatch.setitem(work.KINDS, kind.kind, kind)
    job = Job.objects.create(kind=kind.kind, queue="short", target=uuid.uuid4())
    monkeypatch.setattr(work.current_app, "send_task", lambda *args, **options: 1 / 0)
    work.ring(job)
    job.refresh_from_db()
    assert job.message == work.UNREACHABLE
    monkeypatch.setattr(work, "doorbells", lambda queue: 1)
    work.Sweeper(lease_seconds=1).sweep()
    job.refresh_from_db()
    assert job.message == ""
