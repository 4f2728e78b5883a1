"""How many pieces of work a second go through the queue's rows: `python -m tests.benchmarks.queue`.

A process finds a piece by its id, as a message gives it, claims it, ends it, and does nothing in between. 1, 2 and 4
processes side by side, on SQLite and on PostgreSQL, share as many pieces.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.needs import ROOT, no_services
from tests.stack import Stack, stack

PROCESSES = (1, 2, 4)
KINDS = {"embedded": "SQLite", "services": "PostgreSQL"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pieces", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        return do_part(*map(int, options.part.split("/")))
    rows = []
    for kind, database in KINDS.items():
        if kind == "services" and (reason := no_services()):
            print(reason, file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as directory, stack(Path(directory) / "home", kind) as installation:
            for processes in PROCESSES:
                rates = [rate(installation, options.pieces, processes) for _ in range(options.rounds)]
                rows.append(
                    {"work": "queue", "database": database, "processes": processes, "claims_per_second": median(rates)}
                )
    if options.json:
        print(json.dumps({"rows": rows}))
    for row in [] if options.json else rows:
        print(f"{row['database']:>10}  {row['processes']} processes  {row['claims_per_second']:6.0f} a second")
    return 0


def rate(installation: Stack, pieces: int, processes: int) -> float:
    """Pieces a second from the moment that all processes are ready to the end of the last."""
    argv = [sys.executable, "-m", "tests.benchmarks.queue", "--part"]
    environment = installation.environment | {"DJANGO_SETTINGS_MODULE": "tunixrt.settings", "LOG_LEVEL": "ERROR"}
    installation.shell(
        "len(Job.objects.bulk_create(Job(kind='bench', queue='bench', "
        f"target=__import__('uuid').uuid4()) for _ in range({pieces})))"
    )
    parts = [
        subprocess.Popen(
            [*argv, f"{index}/{processes}"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(processes)
    ]
    for part in parts:
        part.stdout.readline()
    began = time.perf_counter()
    for part in parts:
        print("go", file=part.stdin, flush=True)
    done = sum(int(part.stdout.readline()) for part in parts)
    seconds = time.perf_counter() - began
    for part in parts:
        part.wait()
    assert done == pieces, f"{done} of {pieces} pieces were done"
    return pieces / seconds


def do_part(index: int, of: int) -> int:
    """Does every `of`th piece, and says how many it did."""
    import django

    django.setup()
    from tunixrt.jobs import work
    from tunixrt.jobs.models import Job

    class Nothing(work.Work):
        kind = "bench"

        def body(self, job: Job) -> None:
            """The queue alone is measured."""

    work.KINDS["bench"] = Nothing()
    mine = list(Job.objects.waiting().values_list("pk", flat=True))[index::of]
    print("ready", flush=True)
    sys.stdin.readline()
    for pk in mine:
        work.perform(pk)
    print(Job.objects.filter(pk__in=mine, status="done", attempt=1).count(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
