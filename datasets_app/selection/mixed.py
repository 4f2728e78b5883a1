"""Selections that are mixed from several."""

from typing import Any

import numpy as np

from datasets_app.models import Dataset
from datasets_app.selection.draw import RECORD, Draw, ids_of
from datasets_app.selection.pool import matching, read
from datasets_app.selection.selection import Selection
from datasets_app.selection.shares import largest_remainder
from traces.models import Trace, TraceQuerySet
from training.errors import Fault, Invalid, echo


def mixed(request: dict[str, Any]) -> Selection:
    """What a request takes by its parts, in their order: a trace that one has taken is not there for the next.

    Nobody fills in for a part that has too few. Raises Invalid as `parts` does.
    """
    taken, report = np.array([], RECORD), []
    for name, found, asked in parts(request):
        draw = Draw(request["seed"], asked + len(taken))
        for content, trace_id in read(found.order_by(), "content_sha256"):
            draw.add(content, trace_id)
        records = draw.records()
        fresh = records[~np.isin(records, taken)][:asked]
        report.append({"value": name, "rows": draw.seen, "asked": asked, "taken": len(fresh)})
        taken = np.concatenate([taken, fresh])
    return Selection(ids_of(np.sort(taken)), report)


def parts(request: dict[str, Any]) -> list[tuple[str, TraceQuerySet, int]]:
    """Name, traces and asked rows of each part. Raises Invalid for a dataset that is not there."""
    shares = largest_remainder([part["weight"] for part in request["mix"]], request["limit"])
    found = (_traces_of(part, place) for place, part in enumerate(request["mix"]))
    return list(zip((part["name"] for part in request["mix"]), found, shares, strict=True))


def _traces_of(part: dict[str, Any], place: int) -> TraceQuerySet:
    if "filters" in part:
        return matching(part["filters"])
    dataset = Dataset.objects.with_key(part["dataset_key"]).frozen().first()
    if dataset is None:
        msg = f"there is no frozen dataset {echo(part['dataset_key'])}"
        raise Invalid(Fault(("mix", place, "dataset_key"), msg, "unknown_dataset"))
    return Trace.objects.visible().filter(dataset_items__dataset=dataset)
