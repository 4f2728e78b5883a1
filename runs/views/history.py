"""The page of what the runs on an evalset came to, over time."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from datasets_app.models import EvalSet
from runs import gate_panels, services
from runs.entries import FILTERS
from training.errors import Invalid
from tunixrt.lib.windows import window

RECORDS = 25  # on a page, drawn and in the table: each is held against the baseline item by item


@require_safe
def history(request: HttpRequest, evalset_id: UUID) -> HttpResponse:
    """Scores with their intervals, the baselines, and what the gate says of each run. A wrong filter is said."""
    evalset = get_object_or_404(EvalSet.objects.with_dataset(), pk=evalset_id)
    query = {name: request.GET[name] for name in FILTERS if request.GET.get(name)}
    context: dict[str, Any] = {"room": "leaderboard", "evalset": evalset, "query": query}
    try:
        found = services.history(evalset=evalset, query=query)
    except Invalid as invalid:
        found, context["faults"] = services.history(evalset=evalset), invalid.faults
    shown = window(found, request.GET.get("offset"), RECORDS)
    chart = gate_panels.history_chart(shown.rows)
    context |= {"history": found, "choices": found.choices, "window": shown, "chart": chart}
    return render(request, "runs/history.html", context)
