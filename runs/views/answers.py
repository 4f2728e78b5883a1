"""Pages of what a run answered: all of it, and one item before and after."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runs import compared, panels, services
from runs.answers import answers_of, stage_title, stages_of
from runs.judging import judging
from runs.models import Evaluation, Run
from runs.views.finding import find_item_or_404, find_run_or_404


@require_safe
def predictions(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """What a run answered after its training, or before, or at a checkpoint."""
    run = find_run_or_404(run_id)
    stages, stage = _stages(run, request)
    context: dict[str, Any] = {"room": "runs", "run": run, "stage": stage, "title": stage_title(stage)}
    context["judging"] = judging(run, run.job)
    context["stages"] = [(name, stage_title(name)) for name in stages]
    if answers := answers_of(stages, stage):
        shown = compared.items(answers, request.GET)
        rows = [(row, outcome, panels.steps(row, run)) for row, outcome in shown["rows"]]
        context |= shown | {"rows": rows, "evaluation": answers.shown, "judges": answers.judges}
    return render(request, "runs/predictions.html", context)


@require_safe
def prediction(request: HttpRequest, run_id: UUID, item_id: int) -> HttpResponse:
    """One item, answered before and after training, or at a checkpoint."""
    run = find_run_or_404(run_id)
    item = find_item_or_404(run, item_id)
    stages, stage = _stages(run, request)
    answers = answers_of(stages, stage)
    found = services.compare_item(answers=answers, item=item) if answers else None
    context = {"room": "runs", "run": run, "item": item, "found": found, "sides": compared.sides(run, stage, found)}
    context |= compared.place(answers, request.GET, item) if answers else {}
    return render(request, "runs/prediction.html", context)


def _stages(run: Run, request: HttpRequest) -> tuple[dict[str, Evaluation], str]:
    """The examinations of a run, and which of them is asked for: any odd name means after training."""
    stages = stages_of(run)
    asked = request.GET.get("stage", "")
    return stages, asked if asked in stages else "after"
