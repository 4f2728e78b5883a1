"""Workers as people see them: who is alive, what each does, and how one is asked to stop."""

import subprocess
import sys
import uuid
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from tests.needs import ROOT
from tests.stack import eventually
from tunixrt.jobs import devices, services
from tunixrt.jobs.models import Beacon, Job, this_worker
from tunixrt.lib.errors import Conflict, NotFound
from tunixrt.processes import Fleet

pytestmark = pytest.mark.django_db


@pytest.fixture
def beacon():
    return Beacon.light(kind="worker", queue="runs, short", device="gpu-0")


def silence(beacon: Beacon) -> None:
    Beacon.objects.filter(pk=beacon.pk).update(seen_at=timezone.now() - timedelta(hours=1))


def test_a_page_without_workers_teaches_the_next_step(client_in):
    assert "manage.py up" in client_in.get("/workers/").content.decode()


def test_a_worker_is_shown_with_what_it_does(client_in, api, beacon):
    job = Job.objects.create(kind="train_run", queue="runs", target=uuid.uuid4(), total=4)
    assert job.claim()
    job.tick(1)
    text = client_in.get("/workers/").content.decode()
    for shown in (this_worker(), "gpu-0", "train run", "25 %", f'href="/runs/{job.target}/"', "status alive"):
        assert shown in text
    (told,) = api.get("/api/workers").json()["data"]
    assert (told["name"], told["state"], told["job"]["target"]) == (this_worker(), "alive", str(job.target))


def test_a_pool_works_in_the_name_of_its_worker(monkeypatch):
    monkeypatch.setenv("TUNIXRT_WORKER", "far:7")
    job = Job.objects.create(kind="train_run", queue="runs", target=uuid.uuid4())
    assert job.claim()
    assert job.worker == Beacon.light(kind="worker", queue="runs").worker == "far:7"


def test_a_worker_is_drained_by_page_api_and_command(client_in, api, beacon, capsys):
    wish = lambda: Beacon.objects.filter(pk=beacon.pk, draining=True)  # noqa: E731
    client_in.post(f"/workers/{beacon.worker}/drain/")
    assert wish().update(draining=False)
    assert api.post(f"/api/workers/{beacon.worker}/drain").status_code == 202
    assert wish().update(draining=False)
    call_command("drain_worker", beacon.worker)
    assert Beacon.light(kind="worker", queue="runs, short").draining  # what its next sign of life tells it
    assert "draining" in client_in.get("/workers/").content.decode()


def test_who_is_silent_or_unknown_cannot_be_drained(client_in, api, beacon):
    silence(beacon)
    assert "status silent" in client_in.get("/workers/").content.decode()
    with pytest.raises(Conflict, match="is silent"):
        services.drain_worker(name=beacon.worker)
    with pytest.raises(NotFound, match="no worker"):
        services.drain_worker(name="nobody:1")
    assert "is silent" in client_in.post(f"/workers/{beacon.worker}/drain/", follow=True).content.decode()
    assert api.post("/api/workers/nobody:1/drain").status_code == 404


def test_who_ends_as_it_should_leaves_no_beacon(beacon):
    Beacon.light(kind="sweeper")
    Beacon.put_out()
    assert [left.kind for left in Beacon.objects.all()] == ["sweeper"]


@pytest.mark.parametrize(
    ("device", "visible", "found"),
    [("cpu", "0,1", []), ("gpu", "0,1", ["gpu-0", "gpu-1"]), ("gpu", "-1", []), ("tpu", "0", ["tpu"])],
)
def test_the_devices_of_a_worker_follow_its_settings(settings, monkeypatch, device, visible, found):
    settings.RUN_DEVICE = device
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.devices() == found


def test_a_device_has_one_worker_at_a_time_however_it_ends(settings, monkeypatch):
    code = "import sys; sys.path.insert(0, sys.argv[1])\nimport os, django; django.setup()\n"
    code += "from tunixrt.jobs import devices; devices.take(['gpu-0', 'gpu-7']); print('held', flush=True); input()"
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tunixrt.settings")
    monkeypatch.setenv("TUNIXRT_HOME", str(settings.TUNIXRT_HOME))
    monkeypatch.setenv("TUNIXRT_WORKER", "first:1")
    first = subprocess.Popen([sys.executable, "-c", code, str(ROOT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert first.stdout.readline() == b"held\n"
    with pytest.raises(SystemExit, match=r"gpu-7 belongs to the worker first:1.*drain_worker first:1"):
        devices.take(["gpu-7"])
    devices.take(["gpu-8"])
    first.kill()
    first.wait()
    devices.take(["gpu-7"])


def test_a_fleet_leaves_down_what_was_told_to_stop_and_starts_again_what_died():
    quits, dies = ([sys.executable, "-c", f"raise SystemExit({code})"] for code in (0, 1))
    with Fleet({"quits": quits, "dies": dies}) as fleet:
        lines: list[str] = []
        eventually(lambda: lines.extend(fleet.mend()) or fleet.deaths["dies"] == 2, 20, "one of them died twice")
    assert [line for line in lines if line.startswith("quits")] == [
        "quits was told to stop, and stays down until all is started again"
    ]
