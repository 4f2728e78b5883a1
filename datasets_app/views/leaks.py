"""Pages of what a dataset gives away."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from datasets_app import services
from datasets_app.views.datasets import find_dataset
from tunixrt.lib.errors import NotFound


@require_safe
def dataset_leak(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """One leak: the train row and what it gives away, side by side."""
    dataset = find_dataset(key)
    try:
        leak = services.leak_of(dataset, number)
    except NotFound as missing:
        raise Http404(missing.detail)
    return render(request, "datasets/leak.html", {"room": "datasets", "dataset": dataset, "leak": leak})
