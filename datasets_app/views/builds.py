"""Pages where a dataset is put together."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from datasets_app.forms.builds import BuildForm
from datasets_app.forms.spelling import spell_request
from datasets_app.models import Dataset
from datasets_app.services import Preview
from datasets_app.views.charts import charts_of
from traces.models import Trace

SHARES_SHOWN = 30


@require_http_methods(["GET", "POST"])
def dataset_build(request: HttpRequest) -> HttpResponse:
    """The form; with `?parent=KEY` filled in for the next version of that dataset, or to build it again if it failed.

    POST builds, but for two buttons: `preview` looks, for people without scripts, and `add_part` makes room in a mix.
    """
    if request.method == "GET":
        return _page(request, BuildForm(initial=_initial(request)))
    if "add_part" in request.POST:
        return _page(request, BuildForm(initial=request.POST.dict(), more_parts=1))
    form = BuildForm(request.POST, initial={})
    if "preview" in request.POST:
        return _page(request, form, _shown(form.preview()))
    dataset = form.build(by=request.user)
    return redirect("dataset_detail", dataset.key) if dataset else _page(request, form)


@require_POST
def dataset_preview(request: HttpRequest) -> HttpResponse:
    """What the form would take, while it is being filled in, and beside each field what is wrong with it."""
    form = BuildForm(request.POST, initial={})
    return render(request, "datasets/_preview.html", {"form": form, "is_live": True} | _shown(form.preview()))


def _initial(request: HttpRequest) -> dict[str, Any]:
    if "parent" not in request.GET:
        return request.GET.dict()
    last = get_object_or_404(Dataset.objects.with_key(request.GET["parent"]))
    is_frozen = last.status == Dataset.Status.FROZEN
    named = {
        "dataset_name": last.name,
        "dataset_version": Dataset.objects.free_version_after(last.name, last.version) if is_frozen else last.version,
        "parent_dataset_id": str(last.pk) if is_frozen else last.request.get("parent_dataset_id"),
    }
    return spell_request(last.request) | named


def _page(request: HttpRequest, form: BuildForm, shown: dict[str, Any] | None = None) -> HttpResponse:
    context = {
        "room": "datasets",
        "form": form,
        "parent": _parent(form),
        "has_traces": Trace.objects.visible().exists(),
    }
    return render(request, "datasets/build.html", context | (shown or {}))


def _parent(form: BuildForm) -> Dataset | None:
    try:
        return Dataset.objects.filter(pk=form["parent_dataset_id"].value() or None).first()
    except ValidationError:  # no uuid: the form says so
        return None


def _shown(preview: Preview | None) -> dict[str, Any]:
    """What the fragment needs of a preview."""
    if preview is None:
        return {"preview": None}
    shares = preview.shares[:SHARES_SHOWN]
    return {
        "preview": preview,
        "shares": shares,
        "more_shares": len(preview.shares) - len(shares),
        "charts": charts_of(preview),
        "broken": [gate for gate in preview.gates if gate["count"]],
        "kept": [gate for gate in preview.gates if not gate["count"]],
    }
