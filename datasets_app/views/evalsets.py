"""Pages of evalsets."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datasets_app import services
from datasets_app.evalset_files import SHIPPED
from datasets_app.forms.evalsets import EvalsetForm
from datasets_app.models import EvalSet
from datasets_app.views.datasets import find_dataset
from training.errors import Invalid
from tunixrt.lib.errors import Refused
from tunixrt.lib.windows import window


@require_safe
def evalset_list(request: HttpRequest) -> HttpResponse:
    evalsets = window(EvalSet.objects.with_dataset().newest_first(), request.GET.get("offset"))
    return render(request, "evalsets/list.html", {"room": "evalsets", "window": evalsets, "shipped": SHIPPED})


@require_safe
def evalset_detail(request: HttpRequest, evalset_id: UUID) -> HttpResponse:
    evalset = get_object_or_404(EvalSet.objects.with_dataset(), pk=evalset_id)
    items = window(evalset.items.all(), request.GET.get("offset"))
    return render(request, "evalsets/detail.html", {"room": "evalsets", "evalset": evalset, "window": items})


@require_http_methods(["GET", "POST"])
def evalset_import(request: HttpRequest) -> HttpResponse:
    form, faults = EvalsetForm(request.POST or None, request.FILES or None), []
    if request.method == "POST" and form.is_valid():
        try:
            return redirect("evalset_detail", form.store(by=request.user).pk)
        except Invalid as invalid:
            faults = invalid.faults
    return render(request, "evalsets/import.html", {"room": "evalsets", "form": form, "faults": faults})


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
