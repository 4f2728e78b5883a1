"""Faults of those who ask: twice, at the same moment, or never to the end."""

import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from tests.faults.installation import DATASET
from tests.needs import ROOT
from tests.stack import eventually

pytestmark = pytest.mark.slow

KILLED_BEFORE_IT_RINGS = f"""
import os, django
django.setup()
from tests.faults import looking
from tunixrt.jobs import work
work.ring = lambda job: os.kill(os.getpid(), 9)
looking.launch({DATASET!r}, 77, 8, 4)
"""


def test_sixteen_submissions_with_one_key_at_the_same_moment_are_one_run(place):
    place.ask_web("GET", "/api/runs")
    before = place.tell("runs.Run.objects.count()")
    seed = next(place.seeds)

    def submit(seed: int):
        config = {"model": {"size": "tiny"}, "training": {"steps": 8, "batch_size": 2}, "checkpoint": {"every": 4}}
        body = {"dataset_key": DATASET, "config": config, "seed": seed}
        return place.ask_web("POST", "/api/runs", body, headers={"Idempotency-Key": f"key {seed}"}, timeout=60)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(submit, [seed] * 16))
    assert sorted({answer.status for answer in answers}) == [200, 201]
    assert [answer.status for answer in answers].count(201) == 1
    assert len({answer.json["id"] for answer in answers}) == 1
    assert place.tell("runs.Run.objects.count()") == before + 1
    assert place.completed(answers[0].json["id"])["attempt"] == 1


def test_a_run_whose_launcher_died_between_commit_and_ring_is_trained(place):
    argv = [sys.executable, "-c", KILLED_BEFORE_IT_RINGS]
    done = subprocess.run(argv, cwd=ROOT, env=place.environment, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    run_id = place.tell("str(runs.Run.objects.get(seed=77).pk)")
    assert place.completed(run_id)["attempt"] == 1


def test_an_upload_that_is_cut_off_imports_nothing_and_its_file_goes(place):
    place.ask_web("GET", "/api/runs")
    imports = place.tell("imports.Import.objects.count()")
    address = urlsplit(place.address)
    head = "POST /api/traces/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    head += f"Authorization: {place.somebody['Authorization']}\r\nContent-Length: 8000000\r\n\r\n"
    part = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
    uploads = place.home / "uploads"
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode() + part.encode() + b'{"prompt": "x"}\n' * 200_000)
        eventually(lambda: any(uploads.iterdir()), 20, "the upload is being written")
        place.kill("web")
    left = [path for path in uploads.iterdir() if path.is_file()]
    assert left
    for path in left:
        os.utime(path, (0, 0))  # an hour passes
    eventually(lambda: not any(path.exists() for path in left), 20, "the sweeper removes it")
    assert place.tell("imports.Import.objects.count()") == imports
    assert json.loads(place.ask_web("GET", "/api/health").text) == {"status": "healthy"}
