"""Faults that a trainer does not tell of: it hangs, or its files are gone."""

import os
import shutil
import signal

import pytest

pytestmark = pytest.mark.slow


def test_a_trainer_that_hangs_or_is_frozen_is_ended_and_another_goes_on(place):
    deeds = ("hang", "stop")
    run_ids = [place.launch(steps=16, faults=[{"at": 10, "do": deed, "attempt": 1}]) for deed in deeds]
    for run_id in run_ids:
        seen = place.completed(run_id)
        assert seen["attempt"] >= 2
        assert any("hangs" in reason for _, to, reason in seen["events"] if to == "pending")


def test_a_directory_removed_by_hand_fails_its_run_and_says_so(place):
    run_id = place.launch(steps=16, hold=10)
    place.under_way(run_id, 9)
    shutil.rmtree(place.directory(run_id))
    os.kill(place.trainer(run_id), signal.SIGKILL)
    seen = place.ended(run_id)
    assert seen["status"] == "training_failed"
    assert "artifacts_missing" in seen["error"]
