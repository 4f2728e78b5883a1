"""Which items of an evalset the train rows of a dataset give away, as its freeze found and recorded it."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from datasets_app.evalset_files import SHIPPED
from datasets_app.gates import CONTAMINATION
from datasets_app.models import Dataset, EvalSet
from training.evalsets import evalset_sha256, read_evalset


@dataclass(frozen=True)
class GivenAway:
    """Ids of items. `count` is more than their number where there were too many to name."""

    items: frozenset[str]
    count: int

    @property
    def is_complete(self) -> bool:
        return len(self.items) == self.count


def given_away(*, dataset: Dataset, evalset: EvalSet) -> GivenAway | None:
    """The items of `evalset` that `dataset` gives away; None when its rows were never held against that evalset."""
    result = dataset.result_of(CONTAMINATION) or {}
    sources = [source for source in result.get("against", []) if _is_of(source, dataset, evalset)]
    if not sources:
        return None
    found = [_of_source(source, result) for source in sources]
    items = frozenset[str]().union(*(each.items for each in found))
    return GivenAway(items, max(len(items), *(each.count for each in found)))


def _of_source(source: dict[str, Any], result: dict[str, Any]) -> GivenAway:
    """Records that are older name items in their findings only: one that left some out may have left out others."""
    if "given_away" in source:
        return GivenAway(frozenset(source["given_away"]), source["given_away_count"])
    findings, leaks = result["findings"], sum(result["kinds"].values())
    items = frozenset(finding["item"] for finding in findings if finding["source"] == source["source"])
    return GivenAway(items, len(items) + leaks - len(findings))


def _is_of(source: dict[str, Any], dataset: Dataset, evalset: EvalSet) -> bool:
    """Whether what was held against the rows is this evalset: by its id, as their own split, or as it is shipped."""
    name = source["source"]
    own = evalset.dataset_id == dataset.pk and name == f"{dataset.key} {evalset.split}"
    return source["evalset"] == str(evalset.pk) or own or (name in SHIPPED and _shipped_sha256(name) == evalset.sha256)


@cache
def _shipped_sha256(name: str) -> str:
    return evalset_sha256(read_evalset(SHIPPED[name]))
