"""The rows of a frozen dataset: found, and read one at a time. Positions count from 0, in manifest order."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from datasets_app.models import Dataset, DatasetItem
from datasets_app.rows import check_split, row_of
from traces.models import Trace
from training.errors import Fault, Invalid, echo
from tunixrt.lib.errors import NotFound
from tunixrt.lib.keyset import Order

MANIFEST_ORDER = Order("position")
POSITIONS = range(2**31)
GROUPS = range(-(2**63), 2**63)
LISTED = ("prompt", "final_answer", "step_count", "source")  # of a trace, in a list
KEPT_WITH = 20  # rows of a group that are named


@dataclass(frozen=True)
class DatasetRow:
    """A row with what its dataset knows of it."""

    position: int
    row: dict[str, Any]  # as in `dataset.jsonl`
    group: str | None  # 64 bits as a number; None for a row that is alone in its group
    kept_with: list[int]  # the positions of others of its group, the first KEPT_WITH
    has_more: bool  # others of its group
    gates: list[dict[str, str]]  # `{"gate", "check", "why"}` of each that named it
    previous: int | None
    next: int | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def list_rows(
    dataset: Dataset, *, split: str | None = None, gate: str | None = None, group: str | None = None
) -> QuerySet[DatasetItem]:
    """The rows of a split, those that a gate named, those of a group. Sort them by MANIFEST_ORDER.

    Raises Invalid for what is no split, gate or group, Conflict when the dataset is not frozen.
    """
    dataset.check_readable()
    check_split(split)
    found = dataset.items.prefetch_related(Prefetch("trace", Trace.objects.only(*LISTED)))
    if split:
        found = found.filter(split=split)
    if gate:
        found = found.filter(trace_id__in=list(_findings(_gate(dataset, gate))))
    return found.of_group(_group(group)) if group else found


def listed(item: DatasetItem) -> dict[str, Any]:
    """A row of a list, from `list_rows`."""
    values = {name: getattr(item.trace, name) for name in LISTED}
    return {"position": item.position, "id": str(item.trace_id), "split": item.split, **values}


def row_at(dataset: Dataset, position: int) -> DatasetRow:
    """The row at a position. Raises NotFound when there is none, Conflict when the dataset is not frozen."""
    dataset.check_readable()
    items = dataset.items.order_by("position")
    item = items.filter(position=position).select_related("trace").first() if position in POSITIONS else None
    if item is None:
        raise NotFound(f"{dataset} has no row {position}: they are numbered from 0 to {dataset.trace_count - 1}.")
    others = items.of_group(item.group).exclude(pk=item.pk).values_list("position", flat=True)
    kept_with = list(others[: KEPT_WITH + 1]) if item.group else []
    return DatasetRow(
        position=position,
        row=row_of(item.trace_id, item.split, json.loads(item.trace.canonical)),
        group=str(item.group) if item.group else None,
        kept_with=kept_with[:KEPT_WITH],
        has_more=len(kept_with) > KEPT_WITH,
        gates=[
            {"gate": name, "check": gate["check"], "why": found[str(item.trace_id)]}
            for name, gate in gates_of(dataset).items()
            if str(item.trace_id) in (found := _findings(gate))
        ],
        previous=position - 1 if position else None,
        next=position + 1 if position + 1 < dataset.trace_count else None,
    )


def position_of(dataset: Dataset, trace_id: UUID) -> int:
    """Where a trace stands. Raises NotFound when the dataset does not hold it, Conflict when it is not frozen."""
    dataset.check_readable()
    position = dataset.items.filter(trace_id=trace_id).values_list("position", flat=True).first()
    if position is None:
        raise NotFound(f"{dataset} does not hold the trace {trace_id}.")
    return position


def gates_of(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """The results of gates that found something, by name; in old datasets, which knew no names, by rule."""
    return {gate.get("gate", gate["check"]): gate for gate in dataset.gates if gate["count"]}


def _gate(dataset: Dataset, name: str) -> dict[str, Any]:
    found = gates_of(dataset)
    if name not in found:
        msg = f"must be a gate that named rows ({', '.join(found) or 'none did'}), not {echo(name)}"
        raise Invalid(Fault(("gate",), msg, "unknown_value"))
    return found[name]


def _findings(gate: Mapping[str, Any]) -> dict[str, str]:
    """The rows that a gate names, with its reasons. Gates name the first rows they find."""
    findings = {finding["row"]: finding["why"] for finding in gate.get("findings", [])}
    return dict.fromkeys(gate["rows"], "") | findings


def _group(value: str) -> int:
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and int(value) in GROUPS):
        raise Invalid(Fault(("group",), f"must be the number of a group, not {echo(value)}", "wrong_value"))
    return int(value)
