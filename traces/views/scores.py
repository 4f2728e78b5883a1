"""Pages of scores: how they are spread, and scoring that is under way."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from traces import services
from traces.distributions import Distribution, distribution
from traces.forms.filters import spell
from traces.models import Scoring, Trace
from traces.scorers import SCORERS
from traces.views.page import page
from training.errors import Invalid
from tunixrt.lib.errors import Refused
from tunixrt.lib.plots import BarChart, Column, bar_chart

LABELLED = 4  # every so many bars one says its points


@require_http_methods(["GET", "HEAD", "POST"])
def score_list(request: HttpRequest) -> HttpResponse:
    """Every scorer; a POST scores all traces by one of them or by all."""
    if request.method == "POST":
        try:
            services.begin_scoring(scorers=request.POST.getlist("scorer"), filters={}, by=request.user)
        except Invalid as invalid:
            messages.error(request, str(invalid))
        return redirect("score_list")
    context = {
        "scorers": SCORERS.values(),
        "open": services.open_scorings(),
        "has_traces": Trace.objects.visible().exists(),
    }
    return page(request, "traces/score_list.html", context)


@require_safe
def score_detail(request: HttpRequest, name: str) -> HttpResponse:
    """How the scores by one scorer are spread: a page, or the part of one when htmx asks."""
    if name not in SCORERS:
        raise Http404
    found = distribution(SCORERS[name])
    template = "traces/_scores.html" if request.htmx else "traces/score_detail.html"  # type: ignore[attr-defined]
    return page(request, template, {"found": found, "scorer": found.scorer, "chart": chart(found)})


@require_safe
def scoring_detail(request: HttpRequest, scoring_id: UUID) -> HttpResponse:
    """How far a scoring is; when htmx learns that it has ended, the figures on the page are asked for anew."""
    scoring = get_object_or_404(Scoring, pk=scoring_id)
    job = scoring.job
    template = "traces/_scoring.html" if request.htmx else "traces/scoring_detail.html"  # type: ignore[attr-defined]
    context = {"scoring": scoring, "job": job, "query": spell(scoring.filters)}
    response = page(request, template, context)
    if job is None or not job.is_open:
        response["HX-Trigger"] = "scored"
    return response


@require_POST
def scoring_cancel(request: HttpRequest, scoring_id: UUID) -> HttpResponse:
    try:
        services.cancel_scoring(scoring=get_object_or_404(Scoring, pk=scoring_id))
    except Refused as refused:
        messages.error(request, refused.detail)
    return redirect("scoring_detail", scoring_id)


def chart(found: Distribution) -> BarChart | None:
    traces = reverse("trace_list")
    columns = [
        Column(bucket.label, bucket.count, f"{traces}?{bucket.query}", str(bucket.low) if place % LABELLED == 0 else "")
        for place, bucket in enumerate(found.buckets)
    ]
    return bar_chart(columns, title=f"Traces by their points from {found.scorer.name}", x_label="points")
