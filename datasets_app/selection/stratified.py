"""Selections of which each stratum gives its share."""

import json
from collections import Counter
from typing import Any

import numpy as np
from django.db.models import Count, F

from datasets_app.selection.draw import RECORD, Draw, ids_of
from datasets_app.selection.pool import read
from datasets_app.selection.selection import Selection
from datasets_app.selection.shares import evenly, largest_remainder
from datasets_app.strata import EQUAL, MAX_STRATA, MAX_VALUE, NONE, PROPORTIONAL, label_of
from traces.lookups import MetaScalar
from traces.models import TraceQuerySet
from training.errors import Fault, Invalid
from training.json_rules import place
from training.request_fields import within

COLUMNS = {"source": F("source"), "steps": F("step_count")}


def stratified(found: TraceQuerySet, request: dict[str, Any]) -> Selection:
    """What a request takes of the traces `found`. Raises Invalid as `stratified_shares` does."""
    draws = _drawn(found, request)
    shares = _shares({value: draw.seen for value, draw in sorted(draws.items())}, request)
    records = [draws[share["value"]].records()[: share["asked"]] for share in shares]
    report = [share | {"taken": len(taken)} for share, taken in zip(shares, records, strict=True)]
    return Selection(ids_of(np.sort(np.concatenate([np.array([], RECORD), *records]))), report)


def stratified_shares(found: TraceQuerySet, request: dict[str, Any]) -> list[dict[str, Any]]:
    """`{"value", "rows", "asked"}` of each stratum of the traces `found`, in order of values.

    Raises Invalid when there are too many strata, or quotas for one that is not there.
    """
    field, strata = request["stratify_by"], Counter[str]()
    for value, rows in _with_stratum(found, field).values_list("stratum").annotate(rows=Count("*"))[: MAX_STRATA + 1]:
        strata[_label(field, value)] += rows
    _check_number(len(strata))
    return _shares(dict(sorted(strata.items())), request)


def _drawn(found: TraceQuerySet, request: dict[str, Any]) -> dict[str, Draw]:
    """Every stratum with as many of its traces as a request could take, all from one look at the traces."""
    field, draws = request["stratify_by"], dict[str, Draw]()
    of_value: dict[Any, Draw] = {}  # as the database spells it
    for value, content, trace_id in read(_with_stratum(found, field), "stratum", "content_sha256"):
        if value not in of_value:
            of_value[value] = draws.setdefault(_label(field, value), Draw(request["seed"], request["limit"]))
            _check_number(len(of_value))
        of_value[value].add(content, trace_id)
    return draws


def _shares(strata: dict[str, int], request: dict[str, Any]) -> list[dict[str, Any]]:
    quotas, sizes = request["quotas"], list(strata.values())
    if quotas == EQUAL:
        asked = evenly(sizes, request["limit"])
    elif quotas == PROPORTIONAL:
        asked = largest_remainder(sizes, min(request["limit"], sum(sizes)))
    else:
        _check_known(quotas, strata)
        asked = [quotas.get(value, 0) for value in strata]
    rows = zip(strata, sizes, asked, strict=True)
    return [{"value": value, "rows": size, "asked": number} for value, size, number in rows]


def _check_number(strata: int) -> None:
    if strata > MAX_STRATA:
        msg = f"has more than {MAX_STRATA} values; choose a field with fewer, or filter the traces"
        raise Invalid(Fault(("stratify_by",), msg, "too_many_strata"))


def _check_known(quotas: dict[str, int], strata: dict[str, int]) -> None:
    unknown = [value for value in quotas if value not in strata]
    if unknown:
        msg = f"is no value of the traces that match; these are: {', '.join(map(place, list(strata)[:20])) or 'none'}"
        raise Invalid(Fault(("quotas", place(value)), msg, "unknown_value") for value in unknown)


def _with_stratum(found: TraceQuerySet, field: str) -> TraceQuerySet:
    """Adds `stratum`, the value of the field as the database spells it."""
    value = COLUMNS.get(field) or MetaScalar(field.removeprefix("meta."), MAX_VALUE + 1)
    return found.order_by().annotate(stratum=value)


def _label(field: str, value: Any) -> str:
    if value is None or (field == "source" and not value):
        return NONE
    try:
        return label_of(json.loads(value) if field not in COLUMNS and isinstance(value, str) else value)
    except Invalid as invalid:
        raise Invalid(within(invalid, "stratify_by"))
