"""The page of two datasets beside each other."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from datasets_app import panels, services
from datasets_app.models import Dataset
from training.errors import Fault, Invalid
from tunixrt.lib.errors import Refused
from tunixrt.lib.keyset import page_of

PAGE_ROWS = 25
CHOICE = 100  # datasets to choose from, the newest
SIDES = ("base", "other")


@require_safe
def dataset_compare(request: HttpRequest) -> HttpResponse:
    """Two datasets that the address names, and the rows of a kind; with one or none, a form that asks for them."""
    query = request.GET
    chosen = {name: query.get(name, "") for name in SIDES}
    recent = list(Dataset.objects.frozen().newest_first().values_list("key", flat=True)[:CHOICE])
    context: dict[str, Any] = {"sides": chosen.items(), "recent": recent, "faults": []}
    try:
        if all(chosen.values()):
            context |= _comparison(query)
    except Invalid as invalid:
        context["faults"] = invalid.faults
    except Refused as refused:
        context["faults"] = [Fault((), refused.detail, refused.code)]
    status = 422 if context["faults"] else 200
    return render(request, "datasets/compare.html", {"room": "datasets", **context}, status=status)


def _comparison(query) -> dict[str, Any]:
    base, other = (services.named_dataset(query.get(name), name) for name in SIDES)
    found = services.compare_datasets(base=base, other=other)
    kind = query.get("kind") or next((kind for kind in services.KINDS if found.counts[kind]), "added")
    places = {name: query.get(name) for name in ("before", "after")}
    shown = page_of(found.rows(kind), services.MANIFEST_ORDER, size=PAGE_ROWS, **places)
    return {
        "comparison": found,
        "figures": panels.side_by_side(base, other),
        "kinds": [(name, found.counts[name]) for name in services.KINDS],
        "kind": kind,
        "about": services.KINDS[kind],
        "of": base if kind == "removed" else other,
        "opposite": other if kind == "removed" else base,
        "found": shown,
    }
