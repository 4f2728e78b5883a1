"""No clock of any machine decides about a lease."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from tunixrt.jobs import work
from tunixrt.jobs.models import Job

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_clock_that_jumps_expires_nothing(job, hours, monkeypatch):
    now = [0.0]
    sweeper = work.Sweeper(lease_seconds=9, clock=lambda: now[0])
    assert job.claim()
    sweeper.sweep()
    jumped = timezone.now() + timedelta(hours=hours)
    Job.objects.filter(pk=job.pk).update(created_at=jumped, started_at=jumped)
    monkeypatch.setattr(time, "time", lambda: jumped.timestamp())
    now[0] = 5.0
    sweeper.sweep()
    job.refresh_from_db()
    assert job.status == "running"


def test_the_clock_of_the_sweeper_is_one_that_only_goes_forward():
    assert work.Sweeper(lease_seconds=9).clock is time.monotonic
