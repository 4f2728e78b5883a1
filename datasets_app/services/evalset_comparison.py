"""Two evalsets beside each other: which items came, went, or are asked otherwise."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from datasets_app.models import EvalItem, EvalSet
from training.errors import Fault, Invalid, echo
from tunixrt.lib.errors import NotFound

FIELDS = ("prompt", "expected_answer", "category", "difficulty", "section")
MOST_LISTED = 1000  # items of a kind that an answer names; all are counted


class ItemChange(NamedTuple):
    """An item that is in both under one id, and the fields that differ."""

    base: EvalItem
    other: EvalItem
    fields: list[str]


@dataclass(frozen=True)
class EvalsetComparison:
    """What became of the items of `base` in `other`; an item is the same when its id is."""

    base: EvalSet
    other: EvalSet

    @cached_property
    def added(self) -> list[EvalItem]:
        return [item for key, item in self._others.items() if key not in self._bases]

    @cached_property
    def removed(self) -> list[EvalItem]:
        return [item for key, item in self._bases.items() if key not in self._others]

    @cached_property
    def changed(self) -> list[ItemChange]:
        pairs = [(item, self._others[key]) for key, item in self._bases.items() if key in self._others]
        found = (ItemChange(base, other, _differing(base, other)) for base, other in pairs)
        return [change for change in found if change.fields]

    @cached_property
    def counts(self) -> dict[str, int]:
        kept = len(self._bases) - len(self.removed) - len(self.changed)
        counts = {kind: len(getattr(self, kind)) for kind in ("added", "removed", "changed")}
        return counts | {"kept": kept}

    @property
    def is_only_order_or_steps(self) -> bool:
        """Whether the items ask the same, so that the hashes differ by their order or by the steps of references."""
        return not (self.added or self.removed or self.changed)

    def to_dict(self) -> dict[str, Any]:
        return {
            "base": self.base.to_dict(),
            "other": self.other.to_dict(),
            "counts": self.counts,
            "added": _ids(self.added),
            "removed": _ids(self.removed),
            "changed": [{"id": each.base.item_id, "fields": each.fields} for each in self.changed[:MOST_LISTED]],
        }

    @cached_property
    def _bases(self) -> dict[str, EvalItem]:
        return {item.item_id: item for item in self.base.items.all()}

    @cached_property
    def _others(self) -> dict[str, EvalItem]:
        return {item.item_id: item for item in self.other.items.all()}


def compare_evalsets(*, base: EvalSet, other: EvalSet) -> EvalsetComparison:
    """Raises Invalid when both are the same."""
    if base == other:
        raise Invalid(Fault(("other",), f"{other} is the base itself; choose another evalset", "wrong_value"))
    return EvalsetComparison(base, other)


def named_evalset(identifier: str | None, name: str) -> EvalSet:
    """The evalset whose id the parameter `name` gives. Raises Invalid for no id, NotFound for an unknown one."""
    if not identifier:
        raise Invalid(Fault((name,), "give the id of an evalset", "missing_field"))
    try:
        key = UUID(identifier)
    except ValueError:
        raise Invalid(Fault((name,), f"must be the id of an evalset, not {echo(identifier)}", "wrong_value"))
    if found := EvalSet.objects.with_dataset().filter(pk=key).first():
        return found
    raise NotFound(f"There is no evalset {key}.")


def _differing(base: EvalItem, other: EvalItem) -> list[str]:
    return [name for name in FIELDS if getattr(base, name) != getattr(other, name)]


def _ids(items: Iterable[EvalItem]) -> list[str]:
    return [item.item_id for item in items][:MOST_LISTED]
