"""The page of two runs beside each other."""

from contextlib import suppress

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from runs import compared, panels, services
from runs.models import Run
from tunixrt.lib.errors import Refused


@require_safe
@vary_on_headers("HX-Target")
def compare(request: HttpRequest) -> HttpResponse:
    """Two runs beside each other; `run` twice, as the list's boxes send it, means the older one as base.

    Whoever only filters the items is sent these alone.
    """
    ticked = sorted(request.GET.getlist("run"))
    named = ticked if len(ticked) == 2 else [request.GET.get("base", ""), request.GET.get("other", "")]
    base, other = (panels.find_run(name) for name in named)
    context = {"room": "runs", "base": base, "other": other, "sides": [("base", base), ("other", other)]}
    if base and other and request.htmx.target == "items":  # type: ignore[attr-defined]
        with suppress(Refused):
            answers = services.answers_beside(base=base, other=other)
            return render(request, "runs/_compared_items.html", context | compared.items(answers, request.GET))
    if base and other:
        context |= compared.comparison(base, other, request.GET)
    context["recent"] = Run.objects.completed().shown().newest_first()[:50]
    return render(request, "runs/compare.html", context)
