"""Pages of the ledger: the rows of a step, and what runs made of a trace."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from runs import causes, ledgers
from runs.views.finding import find_run_or_404
from traces.models import Trace
from tunixrt.lib.errors import Conflict
from tunixrt.lib.windows import window

LEDGER_LISTS = ("never_learned", "forgotten")
MAX_DIGITS = 11  # of a step


@require_safe
def ledger(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The rows of a step ranked by loss, or those that were never learned, or forgotten."""
    run = find_run_or_404(run_id)
    context: dict[str, Any] = {"room": "runs", "run": run}
    try:
        found = ledgers.find_ledger(run)
    except Conflict as conflict:
        return render(request, "runs/ledger.html", context | {"refusal": conflict.detail})
    kind, number = request.GET.get("list", ""), request.GET.get("step", "")
    # Counted only where a list is shown: a step is found in no time, the lists take a look at everything.
    lists = {"never_learned": found.never_learned(), "forgotten": found.forgotten()} if kind in LEDGER_LISTS else {}
    step = ledgers.step_of(found, int(number) if number.isdecimal() and len(number) < MAX_DIGITS else None)
    shown = window(lists.get(kind, step.looks), request.GET.get("offset"))
    numbers = [fact.row if lists else int(fact["row"]) for fact in shown.rows]
    context |= {
        "kind": kind if lists else "",
        "lists": [(name, len(lists[name]) if lists else None) for name in LEDGER_LISTS],
        "threshold": found.threshold if lists else None,
        "looks": found.looks_a_row if lists else None,
        "step": step,
        "window": shown,
        "rows": ledgers.rows_of(found, shown.rows, numbers),
    }
    return render(request, "runs/ledger.html", context)


@require_safe
def trace_losses(request: HttpRequest, trace_id: UUID) -> HttpResponse:
    """What the newest runs made of a trace, for the trace's page."""
    trace = get_object_or_404(Trace.objects.visible(), pk=trace_id)
    found = ledgers.histories(trace)
    context: dict[str, Any] = {"room": "traces", "trace": trace, "histories": found, "chart": ledgers.chart(found)}
    context["origin"] = causes.origin(trace)
    template = "runs/_of_trace.html" if request.htmx else "runs/of_trace.html"
    return render(request, template, context | {"most": ledgers.RUNS_OF_A_TRACE})
