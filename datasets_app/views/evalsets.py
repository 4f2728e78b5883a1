"""Pages of evalsets."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datasets_app import panels, services
from datasets_app.evalset_files import SHIPPED
from datasets_app.forms.evalsets import EvalsetForm, ProblemForm
from datasets_app.item_filters import FILTERS, filtered_items
from datasets_app.models import EvalSet
from datasets_app.views.datasets import find_dataset
from training.errors import Fault, Invalid
from training.problems import PROBLEMS
from tunixrt.lib.errors import Refused
from tunixrt.lib.windows import window

MOST_VERSIONS = 20
MOST_WARNINGS = 5
CHOICE = 100  # evalsets to choose from, the newest
SIDES = ("base", "other")
JSON_LINES = "application/x-ndjson; charset=utf-8"


@require_safe
def evalset_list(request: HttpRequest) -> HttpResponse:
    evalsets = window(EvalSet.objects.with_dataset().newest_first(), request.GET.get("offset"))
    context = {"window": evalsets, "rows": panels.with_labels(evalsets.rows), "shipped": SHIPPED}
    return render(request, "evalsets/list.html", {"room": "evalsets", **context})


@require_safe
def evalset_detail(request: HttpRequest, evalset_id: UUID) -> HttpResponse:
    """The items that pass the filters. A page forgives what the API refuses: a wrong filter is said and shows all."""
    evalset = find_evalset(evalset_id)
    asked = {name: request.GET[name] for name in FILTERS if request.GET.get(name)}
    context: dict[str, Any] = {"room": "evalsets", "evalset": evalset, "asked": asked}
    try:
        items = filtered_items(evalset, asked)
    except Invalid as invalid:
        items, context["faults"] = filtered_items(evalset, {}), invalid.faults
    context |= {
        "window": window(items, request.GET.get("offset")),
        "labels": panels.labels(evalset),
        "versions": list(EvalSet.objects.versions_of(evalset)[:MOST_VERSIONS]),
    }
    return render(request, "evalsets/detail.html", context)


@require_safe
def evalset_leaks(request: HttpRequest, evalset_id: UUID) -> HttpResponse:
    """Which datasets give items away, for the evalset's page."""
    evalset = find_evalset(evalset_id)
    template = "evalsets/_leaks.html" if request.htmx else "evalsets/leaks.html"
    context = {"room": "evalsets", "evalset": evalset, "exposures": panels.exposures(evalset)}
    return render(request, template, context)


@require_safe
def evalset_items(request: HttpRequest, evalset_id: UUID) -> HttpResponseBase:
    """The items as a file."""
    evalset = find_evalset(evalset_id)
    try:
        file = services.open_items(evalset)
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("evalset_detail", evalset.pk)
    return FileResponse(file, as_attachment=True, filename=evalset.file_name, content_type=JSON_LINES)


@require_safe
def evalset_compare(request: HttpRequest) -> HttpResponse:
    """Two evalsets that the address names; with one or none, a form that asks for them."""
    query = request.GET
    chosen = {name: query.get(name, "") for name in SIDES}
    context: dict[str, Any] = {"room": "evalsets", "sides": chosen.items(), "faults": []}
    context["recent"] = EvalSet.objects.newest_first()[:CHOICE]
    try:
        if all(chosen.values()):
            base, other = (services.named_evalset(value, name) for name, value in chosen.items())
            context["comparison"] = services.compare_evalsets(base=base, other=other)
    except Invalid as invalid:
        context["faults"] = invalid.faults
    except Refused as refused:
        context["faults"] = [Fault((), refused.detail, refused.code)]
    return render(request, "evalsets/compare.html", context, status=422 if context["faults"] else 200)


@require_http_methods(["GET", "POST"])
def evalset_import(request: HttpRequest) -> HttpResponse:
    form = EvalsetForm(request.POST or None, request.FILES or None)
    return _made(request, form, "evalsets/import.html")


@require_http_methods(["GET", "POST"])
def evalset_generate(request: HttpRequest) -> HttpResponse:
    """A form that makes the evalset of a generated problem."""
    form = ProblemForm(request.POST or None)
    return _made(request, form, "evalsets/generate.html", problems=PROBLEMS.values())


def _made(request: HttpRequest, form: EvalsetForm | ProblemForm, template: str, **context: Any) -> HttpResponse:
    """The page of the evalset that a valid form makes, else the form with what is wrong."""
    faults: list[Fault] = []
    if request.method == "POST" and form.is_valid():
        try:
            evalset = form.store(by=request.user)
        except Invalid as invalid:
            faults = invalid.faults
        else:
            _warn(request, evalset)
            return redirect("evalset_detail", evalset.pk)
    return render(request, template, {"room": "evalsets", "form": form, "faults": faults, **context})


def _warn(request: HttpRequest, evalset: EvalSet) -> None:
    """Says of the first items what the validator would warn of."""
    doubts = panels.doubts(evalset)
    for doubt in doubts[:MOST_WARNINGS]:
        messages.warning(request, str(doubt))
    if len(doubts) > MOST_WARNINGS:
        messages.warning(request, f"and {len(doubts) - MOST_WARNINGS} more like that")


@require_POST
def evalset_shipped(request: HttpRequest) -> HttpResponse:
    """Adds an evalset that comes with the program."""
    try:
        evalset = services.shipped_evalset(name=request.POST.get("name", ""), by=request.user)
    except Invalid as invalid:
        messages.error(request, str(invalid))
        return redirect("evalset_list")
    return redirect("evalset_detail", evalset.pk)


@require_POST
def dataset_evalset(request: HttpRequest, key: str) -> HttpResponse:
    """Makes the evalset of a split."""
    dataset = find_dataset(key)
    try:
        evalset = services.evalset_from_split(dataset=dataset, split=request.POST.get("split", ""), by=request.user)
    except (Invalid, Refused) as error:
        messages.error(request, str(error))
        return redirect("dataset_detail", dataset.key)
    return redirect("evalset_detail", evalset.pk)


def find_evalset(evalset_id: UUID) -> EvalSet:
    return get_object_or_404(EvalSet.objects.with_dataset(), pk=evalset_id)
