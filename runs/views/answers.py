"""Pages of what a run answered: all of it, and one item before and after."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from runs import panels, verdicts
from runs.judging import judging
from runs.models import Prediction
from runs.timelapse import stages_of
from runs.views.finding import find_run_or_404
from tunixrt.lib.windows import window


@require_safe
def predictions(request: HttpRequest, run_id: UUID) -> HttpResponse:
    run = find_run_or_404(run_id)
    stages, asked = stages_of(run), request.GET.get("stage", "")
    stage = asked if asked in stages else "after"
    rows = stages[stage].predictions.select_related("item") if stage in stages else Prediction.objects.none()
    correct = {"true": True, "false": False}.get(request.GET.get("correct", ""))
    if correct is not None:
        rows = rows.filter(correct=correct)
    outcome = request.GET.get("outcome", "")
    if outcome in panels.OUTCOMES:
        rows = rows.judged(run, **panels.OUTCOMES[outcome])
    found = window(rows, request.GET.get("offset"))
    context = {
        "room": "runs",
        "run": run,
        "stage": stage,
        "stages": stages,
        "title": f"{stage} training" if stage in verdicts.STAGES else f"at step {stage}",
        "correct": correct,
        "outcome": outcome,
        "outcomes": [(name, name.replace("_", " ")) for name in panels.OUTCOMES],
        "window": found,
        "rows": [(row, panels.steps(row, run)) for row in found.rows],
        "evaluation": stages.get(stage),
        "judging": judging(run),
    }
    return render(request, "runs/predictions.html", context)


@require_safe
def prediction(request: HttpRequest, run_id: UUID, item_id: int) -> HttpResponse:
    """One item, answered before and after training."""
    run = find_run_or_404(run_id)
    item = get_object_or_404(run.evalset.items, pk=min(item_id, 2**63 - 1))
    answers = [
        (stage, row, panels.steps(row, run) if row else [])
        for stage in verdicts.STAGES
        for row in [Prediction.objects.of_run(run, stage).filter(item=item).first()]
    ]
    return render(request, "runs/prediction.html", {"room": "runs", "run": run, "item": item, "answers": answers})
