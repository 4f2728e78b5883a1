"""Kills a build at every n-th moment: `python -m tests.datasets.kill_builds N`, with a home of its own.

A child process is told to die by SIGKILL before its n-th query or its n-th change of the disk; then somebody else
looks at what is left, and finishes it as a worker would.
"""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable

import django

CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "os.truncate"}
ROWS = 120


def main() -> int:
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    store_traces()
    moments, step = 0, int(sys.argv[1])
    while killed(moments):
        left = finish_and_compare(moments)
        moments += step
        print(f"moment {moments}: {left}")
    assert moments > 30, "the build was not killed often enough to tell anything"
    return 0


def store_traces() -> None:
    from tests.factories import make_traces

    make_traces(ROWS)


def killed(moment: int) -> bool:
    """Whether a child that builds the dataset was killed at that moment; False when it came to its end before."""
    from django.db import connections

    connections.close_all()
    child = os.fork()
    if not child:
        count_down(moment)
        build()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def count_down(moment: int) -> None:
    """Has this process killed before its next query or change of the disk but `moment`."""
    from django.db import connection

    left = [moment]

    def tick() -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event: str, arguments: tuple) -> None:
        if event in CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT):
            tick()

    def query(execute: Callable, *arguments):
        tick()
        return execute(*arguments)

    sys.addaudithook(audit)
    connection.execute_wrappers.append(query)


def build() -> None:
    from datasets_app.services import build_dataset

    request = {"dataset_name": "killed", "dataset_version": "1", "selection_strategy": "random", "seed": 3}
    build_dataset(request=request, by=None)


def finish_and_compare(moment: int) -> str:
    """Looks at what a killed build has left, finishes it, looks again, and removes the dataset. Says what was left."""
    from datasets_app.models import Dataset
    from tunixrt.jobs.models import Job
    from tunixrt.jobs.work import give_back, perform

    dataset = Dataset.objects.filter(key="killed-1").first()
    left = dataset.status if dataset else "nothing"
    if dataset is None:
        build()
        dataset = Dataset.objects.get(key="killed-1")
    check_whole_or_nothing(dataset)
    job = dataset.job
    if job.status == Job.Status.RUNNING:
        give_back(job, "its worker fell silent")
    perform(job.pk)
    dataset.refresh_from_db()
    assert dataset.status == Dataset.Status.FROZEN, (moment, dataset.status, dataset.error)
    check_whole_or_nothing(dataset)
    assert dataset.items.count() == dataset.trace_count == 100
    assert sorted(path.name for path in dataset.directory.iterdir()) == ["dataset.jsonl", "manifest.json"]
    assert [path.name for path in dataset.directory.parent.iterdir()] == ["killed-1"], "something was left beside it"
    remove(dataset)
    return left


def check_whole_or_nothing(dataset) -> None:
    """A directory that can be seen holds the whole version, as its manifest and, if it says, the database have it."""
    if not dataset.directory.exists():
        assert dataset.status != dataset.Status.FROZEN
        return
    manifest = json.loads(dataset.manifest_path.read_bytes())
    rows = dataset.rows_path.read_bytes()
    assert hashlib.sha256(rows).hexdigest() == manifest["content_sha256"] == dataset.content_sha256
    assert len(rows.splitlines()) == manifest["trace_count"] == len(manifest["trace_ids"])


def remove(dataset) -> None:
    import shutil

    shutil.rmtree(dataset.directory)
    dataset.delete()


if __name__ == "__main__":
    sys.exit(main())
