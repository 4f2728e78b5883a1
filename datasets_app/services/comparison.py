"""Two versions of a dataset beside each other: which rows came, went or changed their split, and what was asked for."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Prefetch, QuerySet

from datasets_app.keys import is_key
from datasets_app.models import Dataset, DatasetItem
from datasets_app.services.rows import LISTED, listed
from traces.models import Trace
from training.errors import Fault, Invalid, echo
from tunixrt.lib.errors import Conflict, NotFound

KINDS = {
    "added": "only in the other one",
    "removed": "only in the base",
    "changed_split": "in both, in another split",
    "same_content": "in the other one only, with the content of a row of the base",
}
OWN = {"dataset_name", "dataset_version"}  # of a request: no two datasets share them


@dataclass(frozen=True)
class Difference:
    """A field of the requests, or of the recipe, that differs."""

    name: str
    base: Any
    other: Any


@dataclass(frozen=True)
class DatasetComparison:
    """What became of the rows of `base` in `other`. Rows are the same when their trace is.

    Base without removed, with added, is other. Of the added rows, those of `same_content` say what a row of the base
    says, under another id.
    """

    base: Dataset
    other: Dataset

    def rows(self, kind: str) -> QuerySet[DatasetItem]:
        """The rows of a kind, with what `compared_row` shows: those removed are the base's, all others the other's.

        Sort them by `MANIFEST_ORDER`. Raises Invalid when there is no such kind.
        """
        found = self._rows(kind).prefetch_related(Prefetch("trace", Trace.objects.only(*LISTED)))
        return found if kind == "changed_split" else found.with_same_content_in(self._opposite(kind))

    @cached_property
    def counts(self) -> dict[str, int]:
        """Rows of each kind, and those that are in both as they were."""
        counts = {kind: self._rows(kind).count() for kind in KINDS}
        return {"kept": self.other.trace_count - counts["added"] - counts["changed_split"], **counts}

    @cached_property
    def differences(self) -> list[Difference]:
        """Fields of the requests that differ; the parts of a field that has parts by themselves."""
        base, other = (_fields(dataset.request) for dataset in (self.base, self.other))
        return [
            Difference(name, base.get(name), other.get(name))
            for name in sorted(base.keys() | other.keys())
            if base.get(name) != other.get(name)
        ]

    def to_dict(self) -> dict[str, Any]:
        """All but the rows."""
        return {
            "base": self.base.to_dict(),
            "other": self.other.to_dict(),
            "same_bytes": self.base.content_sha256 == self.other.content_sha256,
            "counts": self.counts,
            "differences": [vars(difference) for difference in self.differences],
        }

    def _rows(self, kind: str) -> Any:
        match kind:
            case "added":
                return self.other.items.whose_trace_is_not_in(self.base)
            case "removed":
                return self.base.items.whose_trace_is_not_in(self.other)
            case "changed_split":
                return self.other.items.split_otherwise_in(self.base)
            case "same_content":
                return self.other.items.whose_trace_is_not_in(self.base).whose_content_is_in(self.base)
        raise Invalid(Fault(("kind",), f"must be one of {', '.join(KINDS)}, not {echo(kind)}", "unknown_value"))

    def _opposite(self, kind: str) -> Dataset:
        return self.other if kind == "removed" else self.base


def compare_datasets(*, base: Dataset, other: Dataset) -> DatasetComparison:
    """Raises Conflict when one of them is not frozen, Invalid when both are the same."""
    if base == other:
        raise Invalid(Fault(("other",), f"{other} is the base itself; choose another dataset", "wrong_value"))
    for dataset in (base, other):
        if dataset.status != Dataset.Status.FROZEN:
            raise Conflict(f"{dataset} is {dataset.status}, not frozen.", code="not_frozen")
    return DatasetComparison(base, other)


def named_dataset(key: str | None, name: str) -> Dataset:
    """The dataset whose key the parameter `name` gives. Raises Invalid for no key, NotFound for an unknown one."""
    if not key or not is_key(key):
        msg = f"must be the key of a dataset, not {echo(key)}" if key else "give the key of a dataset"
        raise Invalid(Fault((name,), msg, "wrong_value" if key else "missing_field"))
    if found := Dataset.objects.with_key(key).first():
        return found
    raise NotFound(f"There is no dataset {key}.")


def compared_row(item: DatasetItem) -> dict[str, Any]:
    """A row of a list, from `rows`: `split_there` or `same_at` say what is known of it in the opposite dataset."""
    known = {name: getattr(item, name) for name in ("split_there", "same_at") if hasattr(item, name)}
    return listed(item) | known


def _fields(request: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in request.items():
        if isinstance(value, dict):
            fields |= {f"{name}.{part}": inner for part, inner in value.items()}
        elif name not in OWN and value is not None:
            fields[name] = value
    return fields
