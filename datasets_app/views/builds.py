"""Pages where a dataset is put together."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from datasets_app.forms.builds import BuildForm, asked_filters
from datasets_app.selection import matching
from traces.filters import read_filters
from training.errors import Invalid

EXAMPLES = 3
COUNTED = 10_000  # matches counted while a person types


@require_http_methods(["GET", "POST"])
def dataset_build(request: HttpRequest) -> HttpResponse:
    form = BuildForm(request.POST) if request.method == "POST" else BuildForm(initial=request.GET.dict())
    if request.method == "POST" and (dataset := form.build(by=request.user)):
        return redirect("dataset_detail", dataset.key)
    return render(request, "datasets/build.html", {"room": "datasets", "form": form} | _matches(request))


@require_safe
def dataset_matches(request: HttpRequest) -> HttpResponse:
    """How many traces the filters leave, while they are being typed."""
    return render(request, "datasets/_matches.html", _matches(request))


def _matches(request: HttpRequest) -> dict:
    """The filters' matches, counted up to COUNTED, with the newest ones; or what is wrong with the filters."""
    given = request.POST if request.method == "POST" else request.GET
    try:
        found = matching(read_filters(asked_filters(given)))
    except Invalid as invalid:
        return {"match_faults": invalid.faults}
    count = found[: COUNTED + 1].count()
    return {"count": min(count, COUNTED), "is_more": count > COUNTED, "examples": found.newest_first()[:EXAMPLES]}
