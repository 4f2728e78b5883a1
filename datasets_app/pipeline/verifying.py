"""Whether the database and the directory of a frozen dataset agree. Every byte is read, some at a time."""

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from datasets_app.manifest import ADDED_LATER
from datasets_app.models import Dataset
from datasets_app.pipeline.disk import contents
from datasets_app.rows import read_lines
from training.errors import Fault, echo
from training.files import file_sha256

ITEMS = "items"  # where a fault lies that is the database's
CHUNK = 10_000


def check_dataset_files(dataset: Dataset) -> list[Fault]:
    """What is wrong with the directory, its two files, or the items; nothing when all say the same."""
    if not dataset.directory.is_dir():
        return [Fault((dataset.key,), f"the directory {dataset.directory} is missing", "missing")]
    faults = [*rows_faults(dataset), *_manifest_faults(dataset)]
    if any(fault.loc == (dataset.rows_path.name,) for fault in faults):
        return [*faults, *_count_faults(dataset)]
    return [*faults, *items_faults(dataset)]


def rows_faults(dataset: Dataset) -> Iterator[Fault]:
    """Whether `dataset.jsonl` is the file that was frozen."""
    name = dataset.rows_path.name
    if not dataset.rows_path.is_file():
        yield Fault((name,), "is missing", "missing")
    elif (found := file_sha256(dataset.rows_path)) != dataset.content_sha256:
        msg = f"has the hash {found[:12]}…, and {dataset.content_sha256[:12]}… was frozen"
        yield Fault((name,), msg, "hash_differs")


def items_faults(dataset: Dataset) -> Iterator[Fault]:
    """The first place where items and rows differ. `dataset.jsonl` must be sound."""
    items = dataset.items.order_by("position").values_list("position", "trace_id", "split")
    lines = ((number, row["id"], row["split"]) for number, row in enumerate(read_lines(dataset.rows_path)))
    for line, item in zip_longest(lines, items.iterator(chunk_size=CHUNK)):
        if line is None or item is None or line != (item[0], str(item[1]), item[2]):
            yield Fault((ITEMS,), f"{_told(line, 'the file')}, {_told(item, 'the database')}", "items_differ")
            return


def _count_faults(dataset: Dataset) -> Iterator[Fault]:
    count = dataset.items.count()
    if count != dataset.trace_count:
        yield Fault((ITEMS,), f"are {count}, and {dataset.trace_count} were frozen", "items_differ")


def _manifest_faults(dataset: Dataset) -> Iterator[Fault]:
    name = dataset.manifest_path.name
    try:
        found = json.loads(dataset.manifest_path.read_bytes())
    except FileNotFoundError:
        yield Fault((name,), "is missing", "missing")
    except (ValueError, RecursionError, OSError):
        yield Fault((name,), "is no JSON", "json")
    else:
        wanted = contents(dataset)
        if not isinstance(found, dict):
            yield Fault((name,), "is no object", "not_object")
        elif differing := sorted(name for name in wanted.keys() | found.keys() if not _agree(name, found, wanted)):
            msg = f"says otherwise than the database of: {', '.join(map(_short, differing))}"
            yield Fault((name,), msg, "manifest_differs")


def _agree(name: str, found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    if name not in found:
        return name in ADDED_LATER
    return name in wanted and found[name] == wanted[name]


def _short(name: str) -> str:
    return name if name.isidentifier() and len(name) < 40 else echo(name)


def _told(row: tuple | None, who: str) -> str:
    return f"{who} has row {row[0]}: {row[1]} in {row[2]}" if row else f"{who} has no row more"
