"""Every guard has a mutant that fails: a line of the product is changed, and a test that passes must notice.

The tests are the guards' own, called here with the changed product. A child process runs from a changed copy.
"""

import inspect
import os
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.db import DatabaseError

from runs import pipeline, verdicts
from tests.faults import dry
from tests.jobs import test_child, test_work
from tests.runs import test_pipeline
from tests.training import test_journal, test_lifeline
from training import journal, lifeline
from tunixrt.jobs import child, draining, services, work
from tunixrt.jobs.models import Cancelled, HandBack, Job, Lost
from tunixrt.lib.errors import Conflict

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
CAUGHT = (AssertionError, pytest.fail.Exception, ValueError)


class Mutant(NamedTuple):
    """`old` becomes `new` in a function of `place`; `test` must fail then."""

    place: Any
    function: str
    old: str
    new: str
    test: Callable


def one_claim_wins(kind, job):
    first, second = (Job.objects.get(pk=job.pk) for _ in range(2))
    assert [first.claim(), second.claim()] == [True, False]


def the_same_key_is_the_same_work(user):
    made = [services.once(user=user, key="k", request={"seed": 1}, create=uuid.uuid4) for _ in range(2)]
    assert made[0][0] == made[1][0]


def another_request_under_the_same_key_is_refused(user):
    services.once(user=user, key="k", request={"seed": 1}, create=uuid.uuid4)
    with pytest.raises(Conflict):
        services.once(user=user, key="k", request={"seed": 2}, create=uuid.uuid4)


def a_supervisor_without_a_database_ends_its_child_in_time(home, settings, monkeypatch):
    settings.RUN_HEARTBEAT_SECONDS, settings.RUN_LEASE_SECONDS = 0, 3
    job = claimed()

    def unreachable(*arguments):
        raise DatabaseError

    monkeypatch.setattr(Job, "tick", unreachable)
    code = "import time; time.sleep(4); exit(9)"
    with pytest.raises(Lost):
        supervise(job, code, home, print)


def a_cancel_is_heard_between_heartbeats(home, settings):
    settings.RUN_HEARTBEAT_SECONDS, settings.RUN_GRACE_SECONDS = 60, 1
    job = claimed()
    Job.objects.filter(pk=job.pk).update(cancel_requested=True)
    with pytest.raises(Cancelled):
        supervise(job, "import time; time.sleep(3)", home, print)


def grandchildren_end_with_the_child(home, settings):
    """As data loaders would be: the group is ended, not the process alone."""
    settings.RUN_HEARTBEAT_SECONDS, settings.RUN_GRACE_SECONDS = 0, 1
    job, pids = claimed(), []
    code = """
import json, subprocess, sys
sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(8)"], stdin=subprocess.DEVNULL)
print(json.dumps({"event": "ready", "pid": sleeper.pid}), flush=True)
sleeper.wait()
"""

    def cancel(event):
        pids.append(event["pid"])
        Job.objects.filter(pk=job.pk).update(cancel_requested=True)

    with pytest.raises(Cancelled):
        supervise(job, code, home, cancel)
    assert test_child.gone(pids[0])


def a_worker_that_stops_hands_back(home, settings):
    settings.RUN_GRACE_SECONDS = 1
    file = draining.drain_file(os.getppid())
    file.parent.mkdir(parents=True)
    file.touch()
    with pytest.raises(HandBack):
        supervise(claimed(), "import time; time.sleep(3)", home)


def a_deaf_child_is_killed(home, settings):
    settings.RUN_HEARTBEAT_SECONDS, settings.RUN_GRACE_SECONDS = 0, 1
    job, began = claimed(), time.monotonic()
    code = """
import json, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(json.dumps({"event": "ready"}), flush=True)
time.sleep(6)
"""
    with pytest.raises(Cancelled):
        supervise(job, code, home, lambda event: Job.objects.filter(pk=job.pk).update(cancel_requested=True))
    assert time.monotonic() - began < 5


def a_child_that_hangs_is_ended(home, settings):
    settings.RUN_STALL_SECONDS, settings.RUN_GRACE_SECONDS = 1, 1
    with pytest.raises(HandBack):
        supervise(claimed(), 'import time; print(\'{"event": "progress"}\', flush=True); time.sleep(4)', home, print)


def an_orphan_is_ended(home):
    test_child.test_a_child_that_outlived_its_supervisor_is_ended_before_the_next_one_starts(claimed(), home)


def a_process_with_an_orphans_number_is_left_alone(home):
    test_child.test_a_process_that_only_has_an_orphans_number_is_left_alone(claimed(), home, {"boot": "another"})


def lost_checkpoints_are_told(run, monkeypatch):
    run.directory.mkdir(parents=True)
    test_pipeline.test_checkpoints_that_are_gone_fail_the_run_instead_of_beginning_anew(
        test_pipeline.begin(run), run, pipeline.EvaluateRun, monkeypatch
    )


def a_child_dies_at_once_with_its_supervisor():
    """Not only when it misses the beats: by then another may be at work."""
    os.environ["TUNIXRT_SILENCE_SECONDS"] = "4"
    began = time.monotonic()
    try:
        test_lifeline.test_a_child_dies_with_its_supervisor_even_while_its_pipe_is_open()
    finally:
        del os.environ["TUNIXRT_SILENCE_SECONDS"]
    assert time.monotonic() - began < 4


def a_damaged_checkpoint_is_not_gone_on_from(tmp_path):
    path = tmp_path / "4"
    path.mkdir()
    (path / "state.json").write_text("{}")
    dry.write_json_atomic(path / dry.MANIFEST, dry.manifest(path))
    (path / "state.json").write_text("{ }")
    assert dry.latest_sealed(tmp_path) is None


def supervise(job: Job, code: str, home, on_event=print) -> int:
    return child.supervise(job, [sys.executable, "-c", code], log_file=home / "log", on_event=on_event)


def two_in_one_directory_are_refused(tmp_path):
    with lifeline.run_lock(tmp_path), pytest.raises(lifeline.Failure), lifeline.run_lock(tmp_path):
        pass


def claimed() -> Job:
    job = Job.objects.create(kind="tests", queue="short", target=uuid.uuid4())
    assert job.claim()
    return job


ASKED = "Job.objects.filter(pk=job.pk, cancel_requested=True).exists()"
LOCKING = "_locked" if hasattr(lifeline, "_locked") else "run_lock"
OWNED = "owner=self.owner, status=self.Status.RUNNING"
MUTANTS = {
    "an owner is not checked": Mutant(
        Job, "_write", "owner=self.owner, ", "", test_work.test_who_lost_the_row_writes_nothing
    ),
    "nor whether the work is held at all": Mutant(
        Job, "_write", OWNED, "", test_work.test_the_silent_owner_that_wakes_up_is_told_that_it_lost
    ),
    "held work is claimed again": Mutant(Job, "claim", "status=self.Status.QUEUED, ", "", one_claim_wins),
    "attempts are not counted by the claim": Mutant(
        Job, "claim", 'attempt=F("attempt") + 1', 'attempt=F("attempt")', test_work.test_work_runs_from_queued_to_done
    ),
    "nobody rings again": Mutant(
        work.Sweeper,
        "sweep",
        "self.ring_for_waiting()",
        "pass",
        test_work.test_a_lost_bell_is_rung_again_but_bells_never_pile_up,
    ),
    "bells pile up": Mutant(
        work.Sweeper,
        "ring_for_waiting",
        "if bells == 0",
        "if True",
        test_work.test_a_lost_bell_is_rung_again_but_bells_never_pile_up,
    ),
    "a bell is rung before the commit": Mutant(
        work,
        "enqueue",
        "transaction.on_commit(lambda: ring(job), robust=True)",
        "ring(job)",
        test_work.test_a_bell_is_rung_only_after_the_commit,
    ),
    "no lease": Mutant(
        work.Sweeper,
        "look_at",
        "silence > self.lease_seconds",
        "False",
        test_work.test_the_sweeper_takes_back_what_fell_silent_and_leaves_what_lives,
    ),
    "a lease that a beat does not renew": Mutant(
        work.Sweeper,
        "silence",
        "(owner, beat) != (job.owner, job.beat)",
        "owner != job.owner",
        test_work.test_the_sweeper_takes_back_what_fell_silent_and_leaves_what_lives,
    ),
    "a cancel is not heard at a tick": Mutant(
        Job, "tick", "raise Cancelled", "pass", test_work.test_cancel_of_running_work_reaches_its_owner_at_the_next_tick
    ),
    "a cancel is not heard between ticks": Mutant(
        child, "_watch", "raise Cancelled", "pass", a_cancel_is_heard_between_heartbeats
    ),
    "a cancel is forgotten with its worker": Mutant(
        work,
        "give_back",
        f"if {ASKED}",
        "if False",
        test_work.test_work_whose_owner_died_after_a_cancel_ends_as_cancelled,
    ),
    "a cancel is contradicted by the last second": Mutant(
        pipeline,
        "outcome",
        ASKED,
        "False",
        test_pipeline.test_who_was_told_that_it_will_be_cancelled_is_not_contradicted,
    ),
    "attempts without end": Mutant(
        work,
        "give_back",
        "failed and job.stalls >= KINDS[job.kind].attempts",
        "False",
        test_work.test_handed_back_work_waits_again_until_it_was_tried_often_enough,
    ),
    "progress forgives nothing": Mutant(
        Job, "made_progress", "self._write(stalls=0)", "pass", test_work.test_progress_starts_the_count_of_attempts_anew
    ),
    "an idempotency key is ignored": Mutant(services, "once", "if not key", "if True", the_same_key_is_the_same_work),
    "a key answers for another request": Mutant(
        services, "once", "earlier.fingerprint != fingerprint", "False", another_request_under_the_same_key_is_refused
    ),
    "a supervisor waits for its database for ever": Mutant(
        child, "_watch", "raise Lost(", "log.warning(", a_supervisor_without_a_database_ends_its_child_in_time
    ),
    "a worker that stops does not hand back": Mutant(
        child, "_watch", 'raise Interrupted("its worker is stopping")', "pass", a_worker_that_stops_hands_back
    ),
    "a worker that stops begins something": Mutant(
        work,
        "long_task",
        "if not is_stopping():",
        "if True:",
        test_work.test_a_worker_that_was_told_to_stop_begins_nothing,
    ),
    "only the child is ended, not its group": Mutant(
        child,
        "_signal_group",
        "os.killpg(child.pid, number)",
        "child.send_signal(number)",
        grandchildren_end_with_the_child,
    ),
    "a deaf child is asked only": Mutant(
        child, "_end", "_signal_group(child, signal.SIGKILL)", "pass", a_deaf_child_is_killed
    ),
    "a stop in order counts as a failed attempt": Mutant(
        work,
        "perform",
        "failed=not isinstance(reason, Interrupted)",
        "failed=True",
        test_work.test_however_often_workers_are_stopped_in_order_the_work_goes_on,
    ),
    "what a child says at its end is not heard": Mutant(
        child, "_stop", "on_event(event)", "pass", test_child.test_the_checkpoint_that_a_stopped_child_seals_is_heard_of
    ),
    "a child may hang for ever": Mutant(
        child,
        "_watch",
        "now - last_event > patience",
        "now - last_event > patience + 60",
        a_child_that_hangs_is_ended,
    ),
    "an orphan works on": Mutant(
        child,
        "end_orphan",
        "pid > 1 and",
        "False and",
        an_orphan_is_ended,
    ),
    "an orphan is told by its number": Mutant(
        child,
        "end_orphan",
        "noted == _named(pid, kept.parent)",
        "birth(pid)",
        a_process_with_an_orphans_number_is_left_alone,
    ),
    "a machine that was started anew is waited for": Mutant(
        work.Sweeper,
        "look_at",
        "job.is_of_an_earlier_boot and",
        "False and",
        test_work.test_work_claimed_before_its_machine_was_started_anew_is_taken_back_before_the_lease_is_over,
    ),
    "old code does newer work": Mutant(
        Job,
        "claim",
        ".filter(version__lte=WORK_VERSION)",
        "",
        test_work.test_work_that_newer_code_asks_for_is_left_to_newer_code,
    ),
    "lost checkpoints begin anew": Mutant(
        pipeline,
        "require_artifacts",
        "not run.has_checkpoint",
        "False",
        lost_checkpoints_are_told,
    ),
    "rows are not compared with what was frozen": Mutant(
        pipeline,
        "require_same_dataset",
        "if not same",
        "if False",
        test_pipeline.test_changed_rows_fail_the_run_before_anything_starts,
    ),
    "an examination of other items is believed": Mutant(
        verdicts,
        "store",
        'summary["evalset_sha256"] != run.evalset.sha256',
        "False",
        test_pipeline.test_files_about_other_items_are_not_believed,
    ),
    "rows of an earlier examination stay current": Mutant(
        verdicts,
        "store",
        "run.evaluations.current().update(status=Evaluation.Status.REPLACED)",
        "pass",
        test_pipeline.test_a_repeated_examination_replaces_the_first_and_keeps_its_rows,
    ),
    "a resumed journal repeats lines": Mutant(
        journal,
        "forget_after",
        "if path.exists()",
        "if False",
        test_journal.test_a_resumed_journal_forgets_what_will_be_done_again,
    ),
    "two work in one directory": Mutant(
        lifeline,
        LOCKING,
        "fcntl.LOCK_EX",
        "fcntl.LOCK_SH",
        two_in_one_directory_are_refused,
    ),
    "the dry trainer goes on from anything": Mutant(
        dry, "is_sealed", "== manifest(path)", "is not None", a_damaged_checkpoint_is_not_gone_on_from
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name, request, monkeypatch):
    mutant = MUTANTS[name]
    arguments = {each: request.getfixturevalue(each) for each in inspect.signature(mutant.test).parameters}
    mutate(monkeypatch, mutant)
    with pytest.raises(CAUGHT):
        mutant.test(**arguments)


WAIT = subprocess.Popen.wait
CHILDS = {
    "does not die with its parent": (
        "\n    _die_with_parent()",
        a_child_dies_at_once_with_its_supervisor,
    ),
    "does not watch its pipe": (
        "\n    threading.Thread(target=_watch_beats",
        test_lifeline.test_a_silent_supervisor_is_a_dead_one,
    ),
    "does not hear that it is to stop": (
        "\n    signal.signal(signal.SIGTERM, lambda _signal, _frame: _stop.set())",
        test_lifeline.test_beats_keep_the_child_alive,
    ),
}


@pytest.mark.parametrize("name", CHILDS)
def test_a_child_that_lacks_a_guard_is_caught(name, tmp_path, monkeypatch):
    line, test = CHILDS[name]
    source = Path(lifeline.__file__).read_text()
    assert line in source
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "__init__.py").touch()
    (tmp_path / "training" / "lifeline.py").write_text(source.replace(line, "\n    (lambda *_, **__: None)  #"))
    monkeypatch.setattr(test_lifeline, "ROOT", tmp_path)
    monkeypatch.setattr(subprocess.Popen, "wait", lambda self, timeout=2: WAIT(self, min(timeout, 3)))
    with pytest.raises((*CAUGHT, subprocess.TimeoutExpired)):
        test()


def mutate(monkeypatch, mutant: Mutant) -> None:
    """Puts the changed function in the place of the product's; fails when the product has no such line any more."""
    function = getattr(mutant.place, mutant.function)
    source = textwrap.dedent(inspect.getsource(function))
    assert mutant.old in source, f"{mutant.function} has no {mutant.old!r}: the mutant must follow the product"
    made: dict = {}
    exec(source.replace(mutant.old, mutant.new), dict(vars(inspect.getmodule(function))), made)
    monkeypatch.setattr(mutant.place, mutant.function, made[mutant.function])
