"""What no train row may give away: the items of every evalset and golden set, and the dataset's own held-out rows."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError

from datasets_app.evalset_files import SHIPPED
from datasets_app.models import Dataset, EvalSet
from datasets_app.rows import read_lines
from traces.models import Trace
from training.evalsets import item_from_row, read_evalset
from training.firewall import Asked
from training.golden import GOLDEN, golden_traces

HELD_OUT = ("valid", "test")
Items = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Source:
    """A set of questions. `evalset` is its id where it is one of this installation."""

    name: str
    read: Callable[[], Items]
    evalset: str | None = None
    find: Callable[[str], Mapping[str, Any] | None] | None = None  # one item, where reading all of them takes long

    def asked(self) -> Iterator[Asked]:
        return (Asked.from_item(item, self.name) for item in self.read())

    def item(self, item_id: str) -> Mapping[str, Any] | None:
        """The item of that id, or None when it is gone."""
        if self.find:
            return self.find(item_id)
        return next((item for item in self.read() if item["id"] == item_id), None)


def sources(dataset: Dataset, rows: Path) -> list[Source]:
    """All that is held against the train rows of a dataset, whose rows stand in the file `rows`.

    A seeded dataset is the same everywhere, so what this installation holds does not count; and a golden set is not
    held against golden sets.
    """
    seeded = (dataset.request.get("seeded") or {}).get("dataset")  # null where it was restored from a manifest
    golden = [] if seeded in GOLDEN else [Source(name, partial(_golden_items, name)) for name in GOLDEN]
    shipped = [Source(name, partial(read_evalset, path)) for name, path in SHIPPED.items()]
    evalsets = [] if seeded else [_of_evalset(evalset) for evalset in EvalSet.objects.newest_first()]
    own = [
        Source(f"{dataset.key} {split}", partial(_held_out_items, rows, split), find=_item_of_trace)
        for split in HELD_OUT
    ]
    return golden + shipped + evalsets + own


def _of_evalset(evalset: EvalSet) -> Source:
    name = f"{evalset.name} ({evalset.sha256[:8]})"  # names may be shared
    return Source(name, partial(_evalset_items, evalset), str(evalset.pk))


def _evalset_items(evalset: EvalSet) -> Iterator[Mapping[str, Any]]:
    """With the steps of their references, which only the file holds; without it, as the database has them."""
    if not evalset.path.exists():
        yield from (item.to_dict() for item in evalset.items.iterator())
        return
    with evalset.path.open("rb") as file:
        yield from map(json.loads, file)


def _golden_items(name: str) -> Items:
    rows = enumerate(golden_traces(name))
    return (item_from_row({**payload, "id": str(number)}) for number, payload in rows)


def _held_out_items(path: Path, split: str) -> Items:
    return map(item_from_row, read_lines(path, split)) if path.exists() else ()


def _item_of_trace(trace_id: str) -> Mapping[str, Any] | None:
    with suppress(ValidationError):  # no uuid
        if trace := Trace.objects.filter(pk=trace_id).first():
            return item_from_row({**trace.payload, "id": trace_id})
    return None
