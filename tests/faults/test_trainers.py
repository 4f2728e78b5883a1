"""Faults of the process that trains or examines. All runs are launched at once, so that the faults overlap."""

import os
import signal

import pytest

from tests.stack import eventually

pytestmark = pytest.mark.slow

FATES: dict[str, dict] = {
    "killed": {"faults": [{"at": 10, "do": "kill", "attempt": 1}]},
    "killed in a save": {"faults": [{"at": "save 8", "do": "kill", "attempt": 1}]},
    "always killed": {"faults": [{"at": 3, "do": "kill"}]},
    "always a bug": {"faults": [{"at": 3, "do": "bug"}]},
    "no number": {"faults": [{"at": 6, "do": "exit 70"}]},
    "disk full": {"faults": [{"at": 6, "do": "exit 73"}]},
    "examiner killed": {"faults": [{"at": "examine", "do": "kill", "attempt": 1}]},
    "examiner killed at its end": {"faults": [{"at": "examined", "do": "kill", "attempt": 1}]},
    "examiner always killed": {"faults": [{"at": "examine", "do": "kill"}]},
    "nothing": {},
}


@pytest.fixture(scope="module")
def runs(place):
    """The run of each fate."""
    return {name: place.launch(steps=16, **fate) for name, fate in FATES.items()}


@pytest.mark.parametrize("fate", ["killed", "killed in a save"])
def test_a_trainer_that_is_lost_once_costs_an_attempt_and_no_update(place, runs, fate):
    seen = place.completed(runs[fate])
    assert seen["attempt"] == 2
    reason = next(reason for origin, to, reason in seen["events"] if (origin, to) == ("training", "pending"))
    assert "signal 9, maybe out of memory" in reason


@pytest.mark.parametrize(
    ("fate", "said"), [("always killed", "signal 9, maybe out of memory"), ("always a bug", "ZeroDivisionError")]
)
def test_a_trainer_that_dies_of_every_attempt_fails_after_three_and_the_queue_moves_on(place, runs, fate, said):
    seen = place.ended(runs[fate])
    assert (seen["status"], seen["attempt"]) == ("training_failed", 3)
    assert "3 attempts without progress" in seen["error"]
    assert said in seen["error"]
    assert place.completed(runs["nothing"])["attempt"] == 1


@pytest.mark.parametrize("fate", ["no number", "disk full"])
def test_an_end_that_another_attempt_cannot_mend_is_final_and_keeps_the_last_checkpoint(place, runs, fate):
    seen = place.ended(runs[fate])
    assert (seen["status"], seen["attempt"]) == ("training_failed", 1)
    assert (place.directory(runs[fate]) / "checkpoints" / "4" / "MANIFEST.json").exists()


@pytest.mark.parametrize("fate", ["examiner killed", "examiner killed at its end"])
def test_an_examiner_that_is_lost_once_examines_again_and_its_rows_count_once(place, runs, fate):
    seen = place.completed(runs[fate])
    assert [job["attempt"] for job in seen["jobs"]] == [2, 1]  # newest first: examined twice, trained once


def test_an_examiner_that_dies_of_every_attempt_leaves_a_trained_run_that_can_be_examined_again(place, runs):
    run_id = runs["examiner always killed"]
    seen = place.ended(run_id)
    assert (seen["status"], seen["attempt"]) == ("evaluation_failed", 1)
    assert seen["examinations"] == []
    place.fate(seen["seed"])
    place.tell(f"services.evaluate_run(run=services.find_run({run_id!r})).status")
    eventually(lambda: place.status(run_id) == "completed", 60, "the run is examined")
    assert place.look(run_id)["examinations"] == ["after", "before"]


@pytest.fixture(scope="module")
def held(place, runs):
    """Runs that wait at a place each until they are cancelled, and one that does not listen."""
    places = {"compiling": "start", "training": 10, "saving": "save 8", "examining": "examine"}
    waiting = {name: place.launch(steps=16, hold=at) for name, at in places.items()}
    return waiting | {"deaf": place.launch(steps=16, hold=10, faults=[{"at": 5, "do": "deaf"}])}


@pytest.mark.parametrize("moment", ["compiling", "training", "saving", "examining", "deaf"])
def test_a_cancel_ends_the_run_once_whatever_it_is_doing(place, held, moment):
    run_id = held[moment]
    message = f"jobs.Job.objects.for_target({run_id!r}).first().message"
    eventually(lambda: place.tell(message).startswith("held at"), 60, "the run waits")
    assert place.cancel(run_id) == "asked"
    seen = place.ended(run_id, 20)
    assert seen["status"] == "cancelled"
    if moment in ("training", "saving", "deaf"):
        assert any(place.directory(run_id).glob("checkpoints/*/MANIFEST.json"))


def test_a_cancel_counts_at_the_moment_of_the_claim_too_and_that_of_a_finished_run_is_refused(place, runs):
    for run_id in place.tell(f"looking.cancelled_at_once('chain-v1', {list(range(1000, 1012))})"):
        assert place.ended(run_id)["status"] == "cancelled"
    assert "nothing to cancel" in place.cancel(runs["killed"])
    assert place.completed(runs["killed"])


def test_a_bit_that_rots_in_the_newest_checkpoint_costs_its_updates_and_is_told(place):
    run_id = place.launch(steps=16, hold=10)
    place.under_way(run_id, 9)
    state = place.directory(run_id) / "checkpoints" / "8" / "state.json"
    data = bytearray(state.read_bytes())
    data[20] ^= 1
    state.write_bytes(data)
    place.fate(place.seed(run_id))
    os.kill(place.trainer(run_id), signal.SIGKILL)
    seen = place.completed(run_id)
    assert any("checkpoint 8 is damaged" in reason for _, _, reason in seen["events"])
