"""The page of two runs beside each other."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runs import panels
from runs.models import Run


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Two runs beside each other; `run` twice, as the list's boxes send it, means the older one as base."""
    ticked = sorted(request.GET.getlist("run"))
    named = ticked if len(ticked) == 2 else [request.GET.get("base", ""), request.GET.get("other", "")]
    base, other = (panels.find_run(name) for name in named)
    context = {"room": "runs", "sides": [("base", base), ("other", other)]}
    if base and other:
        context |= panels.comparison(base, other, request.GET)
    context["recent"] = Run.objects.completed().shown().newest_first()[:50]
    return render(request, "runs/compare.html", context)
