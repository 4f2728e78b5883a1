"""From an item to its cause and back: the nearest training rows, and the way from an answer to a new trace."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from runs import causes, services
from runs.forms import PromoteForm
from runs.models import Evaluation, Prediction
from runs.views.finding import find_item_or_404, find_run_or_404
from tunixrt.lib.errors import Refused

READ_AT_ONCE = 200_000  # rows; more are read for those only who ask
SHOWN = 10  # of the traces that were promoted


@require_safe
def nearest(request: HttpRequest, run_id: UUID, item_id: int) -> HttpResponse:
    """The training rows most like an item, for the item's page."""
    run = find_run_or_404(run_id)
    item = find_item_or_404(run, item_id)
    context: dict[str, Any] = {"room": "runs", "run": run, "item": item}
    if request.htmx and run.dataset.trace_count > READ_AT_ONCE:
        return render(request, "runs/_nearest.html", context)
    try:
        context["causes"] = causes.nearest(run, item)
    except Refused as refused:
        context["refusal"] = refused.detail
    return render(request, "runs/_nearest.html" if request.htmx else "runs/nearest.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def promote(request: HttpRequest, run_id: UUID, item_id: int) -> HttpResponse:
    """The form that makes a trace of an answer, for the item's page; `stage` and `step` say of which."""
    run = find_run_or_404(run_id)
    item = find_item_or_404(run, item_id)
    answers = list(Prediction.objects.answers_to(run, item))
    prediction = _chosen(answers, request.GET)
    form = PromoteForm(prediction, request.POST or None) if prediction else None
    if form and request.POST and (promotion := form.promote(by=request.user)):
        _tell(request, promotion, services.split_of_item(item))
        return redirect("trace_detail", promotion.trace.pk)
    context = {
        "room": "runs",
        "run": run,
        "item": item,
        "answers": answers,
        "prediction": prediction,
        "form": form,
        "split": services.split_of_item(item),
        "promoted": causes.promoted(run, item)[:SHOWN],
    }
    return render(request, "runs/_promote.html" if request.htmx else "runs/promote.html", context)


def _chosen(answers: list[Prediction], query: QueryDict) -> Prediction | None:
    """The answer that `stage` and `step` name, else the one after training, else the last; None when there is none."""
    stage, step = query.get("stage", Evaluation.Stage.AFTER), query.get("step")
    named = [
        answer
        for answer in answers
        if answer.evaluation.stage == stage and step in (None, str(answer.evaluation.checkpoint_step))
    ]
    return next(iter(named or answers[-1:]), None)


def _tell(request: HttpRequest, promotion: services.Promotion, split: str) -> None:
    if not promotion.is_new:
        messages.info(request, "This text was promoted before: here is that trace. No second one was made.")
        return
    meta = promotion.trace.payload["meta"]
    how = "as generated" if meta["as_generated"] else "corrected"
    what = "that draw it teach it" if split == "train" else f"that draw it hold it out in their {split} split"
    messages.success(request, f"Promoted, {how}. Datasets {what}. The filter source = evaluation finds it.")
    if not meta["as_expected"]:
        messages.warning(
            request, "Its answer is not the expected one. If that is a mistake, delete it before it is taught."
        )
