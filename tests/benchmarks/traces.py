"""How fast traces come in and are found: `python -m tests.benchmarks.traces`, on a scratch PostgreSQL database.

A figure of ingest is a ratio between contestants that take turns (A B A B …), medians of the rounds. Reading is told in
milliseconds, for people wait in milliseconds. docs/benchmarks.md explains the rows.
"""

import argparse
import contextlib
import http.client
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parents[2]
SERVER = os.environ.get("TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
BATCH = 1_000
REQUESTS = 60  # of each kind, for a percentile


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", action="append", choices=("ingest", "reads", "import"), help="Default: ingest.")
    parser.add_argument("--rows", type=int, default=10_000, help="Rows of a round (ingest), or in all (reads, import).")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with scratch_database(), tempfile.TemporaryDirectory() as home:
        start_django(home)
        result: dict = {"machine": machine(), "rows": []}
        for work in options.work or ["ingest"]:
            result["rows"] += WORKS[work](options)
    print(json.dumps(result, indent=1) if options.json else table(result["rows"]))
    return 0


def ingest(options: argparse.Namespace) -> list[dict]:
    """Batches over HTTP against a plain serializer; a file against COPY of the very rows it leads to."""
    from tests.benchmarks import rows

    texts = [line.rstrip("\n") for line in rows.lines(options.rows)]
    bodies = [f"[{','.join(texts[at : at + BATCH])}]".encode() for at in range(0, len(texts), BATCH)]
    file = "\n".join(texts).encode()
    ready = prepared(file)
    with web_server() as post:
        contestants: dict[str, Callable[[], object]] = {
            "batch": lambda: [post("/api/traces/batch", body) for body in bodies],
            "plain serializer": lambda: [post("/api/plain/batch", body) for body in bodies],
            "plain serializer, bare table": lambda: [post("/api/bare/batch", body) for body in bodies],
            "file import": lambda: import_file(file),
            "COPY": lambda: copy_rows(ready),
        }
        rates = take_turns(contestants, options.rounds, len(texts))
    pairs = (
        ("batch", "plain serializer"),
        ("batch", "plain serializer, bare table"),
        ("batch", "COPY"),
        ("file import", "COPY"),
    )
    return [compared(ours, theirs, rates) for ours, theirs in pairs]


def take_turns(contestants: dict[str, Callable[[], object]], rounds: int, count: int) -> dict[str, float]:
    """Rows a second of each, the median over rounds in which each takes its turn on empty tables."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            empty_tables()
            began = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - began)
    return {name: count / median(took) for name, took in seconds.items()}


def compared(ours: str, theirs: str, rates: dict[str, float]) -> dict:
    names = {"work": ours, "peer": theirs, "unit": "rows/s"}
    return names | {"ours": rates[ours], "theirs": rates[theirs], "ratio": rates[ours] / rates[theirs]}


def big_import(options: argparse.Namespace) -> list[dict]:
    """One large file, by the command as a process of its own: its pace and its memory."""
    path = Path(os.environ["TUNIXRT_HOME"]) / "big.jsonl"
    write_file(path, options.rows)
    before = path.stat().st_size
    began = time.perf_counter()
    command = [sys.executable, "manage.py", "import_traces", str(path), "--source", "big"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"DJANGO_SETTINGS_MODULE": "tunixrt.settings"})
    memory = peak_memory(process)
    seconds = time.perf_counter() - began
    path.unlink()
    facts = {
        "work": f"import of {before / 2**30:.2f} GiB, {options.rows:,} rows",
        "peer": "",
        "theirs": None,
        "ratio": None,
    }
    return [facts | {"unit": "rows/s", "ours": options.rows / seconds}, facts | {"unit": "MiB at most", "ours": memory}]


def peak_memory(process: subprocess.Popen) -> float:
    """The largest resident set of a process while it lives, in MiB."""
    peak = 0
    while process.poll() is None:
        with contextlib.suppress(OSError), open(f"/proc/{process.pid}/status") as status:
            peak = max([peak, *(int(line.split()[1]) for line in status if line.startswith("VmHWM"))])
        time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"{process.args}: exit {process.returncode}")
    return peak / 1024


def reads(options: argparse.Namespace) -> list[dict]:
    """Pages and API calls on a full table, one after the other; milliseconds at the 95th percentile."""
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    fill(options.rows)
    client = Client(SERVER_NAME="localhost")
    client.force_login(get_user_model().objects.create_user(f"reader-{uuid.uuid4().hex[:6]}"))
    found = []
    for name, path in addresses():
        times = []
        for _ in range(REQUESTS):
            began = time.perf_counter()
            status = client.get(path).status_code
            times.append(1000 * (time.perf_counter() - began))
            if status != 200:
                raise SystemExit(f"{path}: {status}")
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        p95 = quantiles(times, n=20)[-1]
        names = {"work": name, "peer": f"{len(queries)} queries", "unit": "ms, median and p95"}
        found.append(names | {"ours": median(times), "theirs": p95, "ratio": None})
    return found


def fill(count: int) -> None:
    """`count` traces with a baseline score each. The large indexes are made afterwards, all at once."""
    from django.db import connection
    from django.utils import timezone

    from tests.benchmarks import rows
    from traces import fulltext
    from traces.models import Trace
    from traces.rows import row_of
    from tunixrt.lib.ids import uuid7

    with connection.schema_editor() as editor:
        fulltext.remove(None, editor)
    payloads, now = rows.payloads(count), timezone.now()
    while chunk := {uuid7(): payload for payload in islice(payloads, 5_000)}:
        made = (row_of(payload, id=key, created_at=now) for key, payload in chunk.items())
        Trace.objects.insert(made, [(key, payload["meta"]["tags"][0]) for key, payload in chunk.items()])
    with connection.schema_editor() as editor:
        fulltext.install(None, editor)
    with connection.cursor() as cursor:
        cursor.execute(SCORES)
        cursor.execute("VACUUM ANALYZE")


# Points as the baseline gives them: 5 for a step, and a little for their length.
SCORES = """
INSERT INTO traces_score (trace_id, scorer, version, score, details, created_at)
SELECT id, 'baseline', '1', 5 * step_count + 10 + length(canonical) % 97 / 10.0, '{}', now() FROM traces_trace
"""


def addresses() -> Iterator[tuple[str, str]]:
    """What people look at: the first page, one in the middle, searches rare and common, filters alone and together."""
    from traces.models import Trace
    from traces.models.queries import ORDERS

    rows = Trace.objects.visible()
    middle = rows.order_by("created_at", "pk")[rows.count() // 2]
    deep = ORDERS["newest"].token(middle)
    words = middle.prompt.split()
    rare, common = max(words[:-1], key=len), min(words[:-1], key=len)
    queries = {
        "list": "",
        "list, in the middle": f"after={deep}",
        "search: a rare word": f"q={rare}",
        "search: a common word": f"q={common}",
        "search: rare and common": f"q={rare}+{common}",
        "search: a beginning": f"q={rare[:3]}",
        "search: nothing found": "q=zzzzzz",
        "filter: source": "source=rare",
        "filter: tag": "tag=t7",
        "filter: meta": "meta.row=77777",
        "filter: score": "min_score=20",
        "filter: score that few have": "min_score=56",
        "filter: steps": "steps.min=9",
        "filter: near-duplicates": "twin.is=true",
        "filter: wrong step": "wrong.arithmetic=true",
        "filter: disputed": "review.is=disputed",
        "search, source, score, tag": f"q={common}&source=web&min_score=20&tag=t7",
        "sorted by score": "sort=lowest+baseline",
        "unreviewed": "review.is=unreviewed",
    }
    yield from ((name, f"/traces/?{query}") for name, query in queries.items())
    yield "API: list, in the middle", f"/api/traces?limit=100&cursor={deep}"
    yield "detail", f"/traces/{middle.pk}/"
    yield "API: detail", f"/api/traces/{middle.pk}"


def prepared(file: bytes) -> "Ready":
    """What an import of `file` writes, ready to be copied: its traces, and their tags."""
    from django.utils import timezone

    from traces.rows import row_of, tags_in
    from training.schema import read_trace
    from tunixrt.lib.ids import uuid7

    payloads = {uuid7(): read_trace(json.loads(line)) for line in file.splitlines()}
    owner, now = uuid7(), timezone.now()
    rows = [row_of(payload, id=key, created_at=now, imported_by=owner) for key, payload in payloads.items()]
    return Ready(owner, rows, [(key, name) for key, payload in payloads.items() for name in tags_in(payload["meta"])])


class Ready(NamedTuple):
    owner: uuid.UUID
    rows: list[tuple]
    tags: list[tuple]


def copy_rows(ready: Ready) -> None:
    """psycopg's COPY of ready rows into the same tables, with their indexes: the limit of what an import can reach."""
    from traces.models import Import
    from traces.rows import COLUMNS

    Import.objects.create(pk=ready.owner, file_name="ready", file_sha256="", file_bytes=0, format="", source="")
    tables = {"traces_trace": (COLUMNS, ready.rows), "traces_tag": (("trace_id", "name"), ready.tags)}
    with psycopg.connect(os.environ["DATABASE_URL"]) as server:
        for table, (columns, rows) in tables.items():
            names = ", ".join(f'"{name}"' for name in columns)
            with server.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)


def import_file(file: bytes) -> None:
    from traces import services

    row = services.import_file(file=io.BytesIO(file), file_name="rows.jsonl", at_once=True, by=None)
    if row.status != "done":
        raise SystemExit(f"the import is {row.status}: {row.errors[:2]}")


def empty_tables() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE traces_trace, traces_import, benchmarks_plaintrace CASCADE")
        cursor.execute("CHECKPOINT")


def write_file(path: Path, count: int) -> None:
    from tests.benchmarks import rows

    with path.open("w") as file:
        file.writelines(rows.lines(count))


@contextlib.contextmanager
def web_server() -> Iterator[Callable[[str, bytes], None]]:
    """One server process with one thread; yields a function that posts JSON and insists on 201."""
    from django.contrib.auth import get_user_model
    from knox.models import AuthToken

    _, token = AuthToken.objects.create(get_user_model().objects.create_user(f"bench-{uuid.uuid4().hex[:6]}"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "tunixrt.wsgi",
        "--bind",
        f"127.0.0.1:{port}",
        "--log-level",
        "warning",
    ]
    server = subprocess.Popen(command, cwd=ROOT, env=os.environ.copy())
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

    def post(path: str, body: bytes) -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        client.request("POST", path, body, headers)
        answer = client.getresponse()
        if (text := answer.read()) and answer.status != 201:
            raise SystemExit(f"{path}: {answer.status} {text[:300]!r}")

    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield post
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def scratch_database() -> Iterator[None]:
    """A database of our own, gone afterwards; `DATABASE_URL` leads to it."""
    name = f"tunixrt_bench_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
    os.environ["DATABASE_URL"] = urlunsplit(urlsplit(SERVER)._replace(path=f"/{name}"))
    try:
        yield
    finally:
        from django.db import connections

        connections.close_all()
        with psycopg.connect(SERVER, autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def start_django(home: str) -> None:
    os.environ |= {
        "TUNIXRT_HOME": home,
        "DJANGO_SETTINGS_MODULE": "tests.benchmarks.settings",
        "DISK_RESERVE_BYTES": "0",
    }
    import django

    django.setup()
    from django.db import connection

    from tests.benchmarks.plain import PlainTrace

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(PlainTrace)


def call_command(*arguments: str, **options: object) -> None:
    from django.core.management import call_command

    call_command(*arguments, **options)


def machine() -> str:
    with open("/proc/cpuinfo") as info:
        name = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "")
    return f"{name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def table(rows: list[dict]) -> str:
    lines = [
        f"{row['work']:34} {row['peer']:30} {figure(row['ours'])} {figure(row['theirs'])} "
        f"{figure(row['ratio'])} {row['unit']}"
        for row in rows
    ]
    return "\n".join(lines)


def figure(number: float | None) -> str:
    return f"{'':>10}" if number is None else f"{number:10,.2f}" if number < 100 else f"{number:10,.0f}"


WORKS = {"ingest": ingest, "reads": reads, "import": big_import}

if __name__ == "__main__":
    sys.exit(main())
