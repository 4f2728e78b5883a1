"""What every page of this room shares."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from traces.models import Trace


def page(request: HttpRequest, template: str, context: dict, status: int = 200) -> HttpResponse:
    return render(request, template, {"room": "traces", **context}, status=status)


def visible_trace(trace_id: UUID) -> Trace:
    return get_object_or_404(Trace.objects.visible(), pk=trace_id)
