"""How fast a dataset is built and goes out: `python -m tests.benchmarks.datasets`, on a scratch PostgreSQL database.

A figure is a ratio between contestants that take turns (A B A B …), medians of the rounds. docs/benchmarks.md explains
the rows.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from statistics import median

import psycopg

from tests.benchmarks.traces import ROOT, fill, machine, peak_memory, scratch_database, start_django, table

FEW = 10_000  # rows, from which on an export takes no more memory


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", action="append", choices=tuple(WORKS), help="Default: all.")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with scratch_database(), tempfile.TemporaryDirectory() as home:
        start_django(home)
        fill(options.rows)
        result: dict = {"machine": machine(), "rows": []}
        for work in options.work or WORKS:
            result["rows"] += WORKS[work](options)
    print(json.dumps(result, indent=1) if options.json else table(result["rows"]))
    return 0


def build(options: argparse.Namespace) -> list[dict]:
    """A build by the command, every gate and the firewall included, beside COPY of the same rows, as they are and as
    the server would make them; then how memory grows."""
    memory: list[float] = []
    contestants: dict[str, Callable[[], Iterable]] = {
        "ours": lambda: [memory.append(built(options.rows))],
        "COPY of the canonical texts": partial(from_server, TEXTS, options.rows),
        "COPY of rows drawn and made in SQL": partial(from_server, ROWS, options.rows),
    }
    rates = take_turns(contestants, options.rounds, options.rows)
    names = {"work": f"build of {options.rows:,} rows", "unit": "rows/s", "ours": rates.pop("ours")}
    found = [names | {"peer": peer, "theirs": rate, "ratio": names["ours"] / rate} for peer, rate in rates.items()]
    few = built(FEW)
    grown = {"unit": "MiB", "peer": f"{FEW:,} rows", "ours": max(memory), "theirs": few, "ratio": max(memory) / few}
    return [*found, {"work": "memory of a build"} | grown]


def built(rows: int) -> float:
    """Builds so many rows in a process of its own, and removes them. Returns its largest resident set in MiB."""
    from datasets_app.models import Dataset

    command = [sys.executable, "manage.py", "build_dataset", "built", "1", "--strategy", "random", "--seed", "1"]
    command += ["--limit", str(rows), "--max-length", "1024"]
    memory = peak_memory(subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.DEVNULL))
    dataset = Dataset.objects.get(key="built-1")
    shutil.rmtree(dataset.directory)
    dataset.items.all()._raw_delete("default")
    dataset.delete()
    return memory


def from_server(query: str, rows: int) -> Iterator[bytes]:
    with psycopg.connect(os.environ["DATABASE_URL"]) as server, server.cursor().copy(query, [rows]) as copy:
        yield from copy


TEXTS = "COPY (SELECT canonical FROM traces_trace ORDER BY created_at, id LIMIT %s) TO STDOUT"
ROWS = """
COPY (
    SELECT jsonb_build_object(
        'id', id, 'split', get_byte(decode("group", 'hex'), 31) %% 10, 'prompt', payload -> 'prompt',
        'steps', payload -> 'steps', 'final_answer', payload -> 'final_answer', 'meta', payload -> 'meta'
    )
    FROM (SELECT *, canonical::jsonb AS payload FROM traces_trace) AS traces
    ORDER BY sha256(convert_to('1|' || content_sha256, 'UTF8')), id LIMIT %s
) TO STDOUT
"""


def export(options: argparse.Namespace) -> list[dict]:
    """Each format beside what one writes by hand, and beside COPY of the same traces; then how memory grows."""
    from datasets_app import services

    everything, few = freeze("everything", options.rows), freeze("few", FEW)
    found = []
    for format in BY_HAND:
        contestants = {
            "ours": partial(services.export_rows, everything, format=format),
            ".iterator() and json.dumps": partial(by_hand, everything, format),
            "COPY of the canonical texts": partial(copied, everything),
        }
        rates = take_turns(contestants, options.rounds, options.rows)
        names = {"work": f"export {format}", "unit": "rows/s", "ours": rates.pop("ours")}
        found += [names | {"peer": peer, "theirs": rate, "ratio": names["ours"] / rate} for peer, rate in rates.items()]
    for format in ("trace", "tunix_sft", "parquet"):
        small, large = (memory_of_export(dataset, format) for dataset in (few, everything))
        peer = f"{FEW:,} rows"
        found.append({"work": f"memory of {format}", "unit": "MiB", "peer": peer, "ours": large, "theirs": small})
        found[-1]["ratio"] = large / small
    return found


def freeze(name: str, rows: int):
    from datasets_app import services
    from tunixrt.jobs.work import perform

    request = {"dataset_name": name, "dataset_version": "1", "limit": rows}
    dataset, _ = services.build_dataset(request=request, by=None)
    if dataset.status != "frozen":
        perform(dataset.job.pk)
        dataset.refresh_from_db()
    return dataset


def take_turns(contestants: dict[str, Callable[[], Iterable]], rounds: int, count: int) -> dict[str, float]:
    """Rows a second of each, the median over rounds in which each takes its turn."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, begin in contestants.items():
            began = time.perf_counter()
            for _block in begin():
                pass
            seconds[name].append(time.perf_counter() - began)
    return {name: count / median(took) for name, took in seconds.items()}


def by_hand(dataset, format: str) -> Iterator[bytes]:
    """As one writes it: the columns that are needed, by `.iterator()`, then a dict and `json.dumps` a row."""
    columns = ("trace_id", "trace__canonical", "trace__created_at", "trace__trace_version")
    for trace_id, text, created_at, version in dataset.items.order_by("position").values_list(*columns).iterator():
        payload = json.loads(text)
        facts = {"created_at": created_at.isoformat(), "trace_version": version}
        row = BY_HAND[format](dataset, payload | {"id": str(trace_id), "meta": (payload["meta"] or {}) | facts})
        yield (json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n").encode()


def trace_by_hand(dataset, row: dict) -> dict:
    steps = [step["content"] for step in row["steps"]]
    names = {"prompts": row["prompt"], "final_answer": row["final_answer"]}
    return names | {"id": row["id"], "trace_steps": steps, "metadata": row["meta"]}


def turns_by_hand(dataset, row: dict) -> dict:
    from training.renderers import render

    names = {"id": row["id"], "final_answer": row["final_answer"], "metadata": row["meta"]}
    return names | {"prompts": render(row, dataset.recipe, dataset.instruction)}


def messages_by_hand(dataset, row: dict) -> dict:
    from training.renderers import plain_prompt, plain_response

    texts = plain_prompt(row["prompt"], dataset.instruction), plain_response(row, dataset.recipe)
    roles = ("user", "assistant")
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]}


def copied(dataset) -> Iterator[bytes]:
    """The canonical texts of the same traces in the same order, as the server sends them: the limit."""
    query = (
        "COPY (SELECT canonical FROM datasets_datasetitem JOIN traces_trace ON traces_trace.id = trace_id "
        "WHERE dataset_id = %s ORDER BY position) TO STDOUT"
    )
    with psycopg.connect(os.environ["DATABASE_URL"]) as server, server.cursor().copy(query, [dataset.pk]) as copy:
        yield from copy


def memory_of_export(dataset, format: str) -> float:
    """The largest resident set of the command that writes a file, in MiB."""
    target = f"{os.environ['TUNIXRT_HOME']}/{dataset.key}.{format}"
    command = [sys.executable, "manage.py", "export_dataset", dataset.key, "--format", format, "--output", target]
    return peak_memory(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL))


BY_HAND = {"trace": trace_by_hand, "tunix_sft": turns_by_hand, "messages": messages_by_hand}
WORKS = {"build": build, "export": export}

if __name__ == "__main__":
    sys.exit(main())
