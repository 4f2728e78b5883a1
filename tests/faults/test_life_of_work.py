"""Any order of deeds and deaths leaves the row in a true state: a machine of rules over one table of jobs."""

import uuid

import hypothesis.strategies as st
import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tunixrt.jobs import work
from tunixrt.jobs.models import Cancelled, Job, Lost, Once
from tunixrt.jobs.services import once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
LEASE = 10.0
EDGES = {
    ("queued", "running"),
    ("running", "queued"),
    ("running", "done"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("queued", "cancelled"),
}


class Noted(work.Work):
    kind, queue, attempts = "tests.noted", "tests", 3

    def __init__(self):
        self.told = []

    def started(self, job):
        self.told.append((job.pk, "queued", "running"))

    def released(self, job, reason):
        self.told.append((job.pk, "running", "queued"))

    def ended(self, job):
        was = "running" if job.started_at and self.now(job) == "running" else "queued"
        self.told.append((job.pk, was, job.status))

    def now(self, job):
        return next((to for pk, _, to in reversed(self.told) if pk == job.pk), "queued")


class LifeOfWork(RuleBasedStateMachine):
    """Owners are copies of the row, as processes have them; a crashed one is kept and writes later, as a zombie."""

    jobs = Bundle("jobs")
    owners = Bundle("owners")
    zombies = Bundle("zombies")

    def __init__(self):
        super().__init__()
        Job.objects.all().delete()
        Once.objects.all().delete()
        self.clock = 0.0
        self.noted = work.KINDS[Noted.kind] = Noted()
        self.sweeper = work.Sweeper(LEASE, clock=lambda: self.clock)
        self.keys: dict[str, uuid.UUID] = {}
        self.ends: dict[uuid.UUID, str] = {}

    def teardown(self):
        """Whatever is left comes to its end once somebody works."""
        for _ in range(4):
            self.clock += LEASE + 1
            self.sweeper.sweep()
            self.clock += LEASE + 1
            self.sweeper.sweep()
        for job in Job.objects.waiting():
            assert job.claim()
            work.KINDS[job.kind].started(job)
            work.finish(job, Job.Status.DONE)
        assert not Job.objects.open().exists()

    @rule(target=jobs, key=st.sampled_from("abc"))
    def submit(self, key):
        """The same key twice is the same work."""
        found, new = once(user=self.user, key=key, request={}, create=lambda: self.create().pk)
        assert new == (key not in self.keys)
        assert self.keys.setdefault(key, found) == found
        return found

    @rule(target=jobs)
    def submit_without_a_key(self):
        return self.create().pk

    @rule(pk=jobs)
    def submit_for_a_target_that_has_open_work(self, pk):
        job = Job.objects.get(pk=pk)
        if job.is_open:
            with pytest.raises(Exception, match=r"(?i)unique"), transaction.atomic():
                work.enqueue(Noted.kind, target=job.target)

    @rule(target=owners, pk=jobs)
    def claim(self, pk):
        """One claim wins; a second delivery finds nothing."""
        job = Job.objects.get(pk=pk)
        waited = job.status == "queued" and not job.cancel_requested
        with transaction.atomic():
            claimed = job.claim()
            if claimed:
                work.KINDS[job.kind].started(job)
        assert claimed == waited
        assert not Job.objects.get(pk=pk).claim()
        return job if claimed else multiple()

    @rule(owner=owners, done=st.integers(0, 9))
    def beat(self, owner, done):
        self.write(owner, lambda: owner.tick(done, 9))

    @rule(owner=owners)
    def seal(self, owner):
        self.write(owner, owner.made_progress)

    @rule(owner=consumes(owners), code=st.sampled_from(["done", "failed", "again"]))
    def child_exits(self, owner, code):
        if code == "again":
            work.give_back(owner, "its child died")
        else:
            work.finish(owner, code)

    @rule(target=zombies, owner=consumes(owners))
    def crash(self, owner):
        return owner

    @rule(zombie=zombies, what=st.sampled_from(["tick", "end", "release", "progress"]))
    def zombie_writes(self, zombie, what):
        held = Job.objects.filter(pk=zombie.pk, status="running", owner=zombie.owner).exists()
        if what == "end":
            before = self.noted.told[:]
            work.finish(zombie, Job.Status.DONE)
            assert held or self.noted.told == before
            return
        deed = {"tick": zombie.tick, "release": lambda: zombie.release("late"), "progress": zombie.made_progress}[what]
        if what == "release" and held:
            return work.give_back(zombie, "late")
        if held:
            return self.write(zombie, deed)
        with pytest.raises(Lost):
            deed()

    @rule(pk=jobs)
    def cancel(self, pk):
        work.cancel(Job.objects.get(pk=pk))

    @rule(seconds=st.sampled_from([0.5, LEASE / 2, LEASE + 1]))
    def sweep(self, seconds):
        self.clock += seconds
        self.sweeper.sweep()

    @rule(pk=jobs)
    def ring_late(self, pk):
        """A message for work that is over, or held by somebody, does nothing."""
        if Job.objects.get(pk=pk).status != "queued":
            before = self.noted.told[:]
            work.perform(pk)
            assert self.noted.told == before

    @invariant()
    def history_is_legal_and_ends_once(self):
        now: dict = {}
        for pk, was, to in self.noted.told:
            assert (was, to) in EDGES
            assert now.get(pk, "queued") == was
            now[pk] = to
        for job in Job.objects.all():
            assert job.status == now.get(job.pk, "queued")
            assert bool(job.owner) == (job.status == "running")
            assert job.stalls <= job.attempt
            if not job.is_open:
                assert self.ends.setdefault(job.pk, job.status) == job.status

    def create(self):
        return work.enqueue(Noted.kind, target=uuid.uuid4())

    def write(self, owner, deed):
        """An owner writes while it is the owner, and is told when it is not or is to stop."""
        held = Job.objects.filter(pk=owner.pk, status="running", owner=owner.owner).first()
        try:
            deed()
            assert held
        except Lost:
            assert not held
        except Cancelled:
            assert held.cancel_requested


def test_any_order_of_deeds_and_deaths_leaves_true_states(db, user, monkeypatch):
    monkeypatch.setattr(work, "doorbells", lambda queue: 1)
    monkeypatch.setitem(work.KINDS, Noted.kind, Noted())
    LifeOfWork.user = user
    run_state_machine_as_test(
        LifeOfWork,
        settings=settings(
            max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
