"""Pages of a run's items over its checkpoints: those that changed, and one with all that was answered to it."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runs import lapse_panels, panels
from runs.timelapse import answers_over_time, time_lapse
from runs.views.finding import find_item_or_404, find_run_or_404
from tunixrt.lib.windows import window


@require_safe
def changed_items(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Items won or lost at a checkpoint, or those forgotten in the end: that is what an odd question means."""
    run = find_run_or_404(run_id)
    lapse, kind, step = time_lapse(run), request.GET.get("list", ""), request.GET.get("step", "")
    context: dict[str, Any] = {"room": "runs", "run": run, "lapse": lapse, "kind": "forgotten"}
    if lapse is None:
        return render(request, "runs/changed_items.html", context)
    keys = list(lapse.forgotten)
    if kind in ("won", "lost") and (found := [moment for moment in lapse.moments if f"{moment.step}" == step]):
        keys = sorted(getattr(found[0].change, kind))
        context |= {"kind": kind, "moment": found[0]}
    shown = window(keys, request.GET.get("offset"))
    rows = [(item, lapse.forgotten.get(item.pk)) for item in lapse_panels.in_order(shown.rows)]
    context |= {"window": shown, "rows": rows, "count": len(keys)}
    return render(request, "runs/changed_items.html", context)


@require_safe
def item_over_time(request: HttpRequest, run_id: UUID, item_id: int) -> HttpResponse:
    """One item: what was answered to it at each checkpoint."""
    run = find_run_or_404(run_id)
    item = find_item_or_404(run, item_id)
    answers = [(row, panels.steps(row, run)) for row in answers_over_time(run, item.pk)]
    context = {"room": "runs", "run": run, "item": item, "answers": answers, "best_step": run.metrics.get("best_step")}
    return render(request, "runs/item_over_time.html", context)
