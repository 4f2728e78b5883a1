"""How fast ten thousand answers are filtered and opened: `python -m tests.benchmarks.predictions`.

Two examined runs on the same items, on SQLite and, where there is one, on a scratch PostgreSQL database; pages and API
calls one after the other through all of Django in one process. Milliseconds at the median and at the 95th percentile;
the bar for the latter is 200 ms, but for the whole page of two runs, which decides on all items.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from statistics import median, quantiles

from tests.benchmarks.traces import ROOT, call_command, machine, scratch_database
from tests.needs import no_services

BAR_MS = 200.0
WHOLE = "two runs, the whole page"
DATABASES = {"SQLite": contextlib.nullcontext, "PostgreSQL": scratch_database}
REQUESTS = 30  # of each kind


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--database", choices=DATABASES, help="Default: all that are there.")
    options = parser.parse_args()
    if options.database:
        print(json.dumps(list(measured(options.database, options.items))))
        return 0
    rows = []
    for name in DATABASES:
        if name == "PostgreSQL" and (reason := no_services()):
            print(reason, file=sys.stderr)
            continue
        command = [sys.executable, "-m", __spec__.name, "--database", name, "--items", str(options.items)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
        rows += json.loads(done.stdout.splitlines()[-1])
    if options.json:
        print(json.dumps({"machine": machine(), "rows": rows}))
    for row in [] if options.json else rows:
        figures = f"{row['median']:8.1f} {row['p95']:8.1f} ms  bar {row['bar']}"
        print(f"{row['database']:>10}  {row['work']:46} {row['queries']:3} queries {figures}")
    return 0


def measured(database: str, items: int) -> Iterator[dict]:
    """A row a request."""
    for name in ("DATABASE_URL", "CELERY_BROKER_URL"):
        os.environ.pop(name, None)
    with DATABASES[database](), tempfile.TemporaryDirectory() as home:
        start_django(home)
        base, other = examined(items)
        yield from (row | {"database": database} for row in timed(base, other))


def start_django(home: str) -> None:
    os.environ |= {"TUNIXRT_HOME": home, "DJANGO_SETTINGS_MODULE": "tunixrt.settings", "ALLOWED_HOSTS": "testserver"}
    import django

    django.setup()
    call_command("migrate", verbosity=0)


def examined(count: int) -> tuple:
    """Two runs that answered the same items: a tenth won, a twentieth lost, in 12 categories and 4 difficulties."""
    from django.db import connection

    from datasets_app.services import evalset_from_items, seed_dataset
    from tests.runs.making import completed
    from training.evalsets import item_from_row
    from training.problems import generate_traces

    rows = (row | {"id": f"item-{i}"} for i, row in enumerate(generate_traces("chain", count=count, seed=2)))
    labels = (
        {"category": f"kind {i % 12}", "difficulty": str(i % 4), "section": f"part {i % 3}"} for i in range(count)
    )
    items = [item_from_row(row) | label for row, label in zip(rows, labels, strict=True)]
    evalset = evalset_from_items(items=items, name="many", by=None)
    dataset = seed_dataset(key="chain-bench", count=60, seed=1, difficulty=2)
    make = partial(completed, dataset, evalset=evalset)
    base, other = make(seed=1, right=lambda i: i % 10 > 2), make(seed=2, right=lambda i: i % 20 > 3)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does sooner or later
    return base, other


def timed(base, other) -> Iterator[dict]:
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client()
    client.force_login(get_user_model().objects.create_user("ada"))
    for work, address in addresses(base, other).items():
        headers = {"HX-Request": "true", "HX-Target": "items"} if "filtered" in work else {}
        get = partial(client.get, address, headers=headers)
        get()
        times = []
        for _ in range(REQUESTS):
            began = time.perf_counter()
            response = get()
            times.append(1000 * (time.perf_counter() - began))
            if response.status_code != 200:
                raise SystemExit(f"{address}: {response.status_code}")
        with CaptureQueriesContext(connection) as queries:
            get()
        p95 = quantiles(times, n=20)[-1]
        bar = "none" if work == WHOLE else f"{BAR_MS:g}: {'met' if p95 <= BAR_MS else 'missed'}"
        yield {"work": work, "queries": len(queries), "median": median(times), "p95": p95, "bar": bar}


def addresses(base, other) -> dict[str, str]:
    """What people look at: each filter alone, some together, the last page, one item with its neighbours."""
    middle = other.evalset.items.order_by("position")[other.evalset.item_count // 2]
    answers, compared = f"/runs/{other.pk}/predictions/", f"/runs/compare/?base={base.pk}&other={other.pk}"
    queries = {
        "all": "",
        "the last page": f"offset={other.evalset.item_count - 20}",
        "wrong ones": "correct=false",
        "won": "outcome=won",
        "category and difficulty": "category=kind+3&difficulty=2",
        "section": "section=part+1",
        "a judge that failed them": "judged=format_valid:failed",
        "search": "q=Start+at+7",
        "search, nothing found": "q=nothing+like+it",
        "won, category, search": "outcome=won&category=kind+3&q=×7",
    }
    pages = {f"answers: {name}": f"{answers}?{query}" for name, query in queries.items()}
    pages["answers: one item"] = f"{answers}{middle.pk}/?correct=true&category={middle.category}"
    for name in ("all", "won", "the last page", "won, category, search"):
        pages[f"two runs, filtered: {name}"] = f"{compared}&{queries[name]}"
    pages[WHOLE] = compared
    one = f"/runs/compare/{middle.pk}/?base={base.pk}&other={other.pk}&category={middle.category}"
    pages["two runs: one item"] = one
    api = {"API: predictions, wrong ones": f"/api/runs/{other.pk}/predictions?correct=false&limit=100"}
    api["API: items of two runs, won"] = (
        f"/api/runs/compare/items?base={base.pk}&other={other.pk}&outcome=won&limit=100"
    )
    return pages | api


if __name__ == "__main__":
    sys.exit(main())
