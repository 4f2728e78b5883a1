"""The places of traces in a dataset that is being built."""

from collections.abc import Iterable
from uuid import UUID

from django.db import IntegrityError

from datasets_app.models import Dataset, DatasetItem
from tunixrt.lib.bulk import insert
from tunixrt.lib.errors import Conflict

FORGET = 50_000  # items deleted in one transaction
COLUMNS = ("dataset_id", "position", "trace_id", "split", "group")


def store_items(dataset: Dataset, items: Iterable[tuple[int, UUID, str, int]]) -> None:
    """Adds (position, trace, split, group). From then on the traces cannot be deleted.

    Raises Conflict when one was deleted since it was chosen.
    """
    try:
        insert(DatasetItem, COLUMNS, ((dataset.pk, *item) for item in items))
    except IntegrityError:
        raise Conflict("A trace was deleted while the dataset was being built. Build it again.", code="trace_deleted")


def forget_items(dataset: Dataset) -> None:
    """Lets go of the traces, some at a time: nobody waits for a million rows to be deleted."""
    while last := dataset.items.order_by("position")[:FORGET].values_list("position", flat=True):
        items = dataset.items.filter(position__lte=max(last))
        items._raw_delete(items.db)  # nothing hangs on an item
