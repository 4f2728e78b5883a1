"""What the page of an evalset shows of the runs."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from datasets_app.models import EvalSet
from runs.models import Run
from tunixrt.lib.windows import window

SHOWN = 25  # runs


@require_safe
def evalset_runs(request: HttpRequest, evalset_id: UUID) -> HttpResponse:
    """The runs that are examined on an evalset, for its page."""
    evalset = get_object_or_404(EvalSet, pk=evalset_id)
    runs = Run.objects.with_tags().shown().newest_first().filter(evalset=evalset)
    context = {"room": "evalsets", "evalset": evalset, "window": window(runs, request.GET.get("offset"), SHOWN)}
    template = "runs/_evalset_runs.html" if request.htmx else "runs/evalset_runs.html"
    return render(request, template, context)
