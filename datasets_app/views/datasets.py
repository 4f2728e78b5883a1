"""Pages of datasets."""

from itertools import islice
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from datasets_app import panels, services
from datasets_app.exports import TITLES
from datasets_app.models import Dataset
from datasets_app.rows import read_lines
from datasets_app.views.charts import figures_of
from traces.models import Trace
from training.errors import Invalid
from tunixrt.lib.errors import Refused, Unavailable
from tunixrt.lib.windows import window

FIRST_ROWS = 3


@require_safe
def dataset_list(request: HttpRequest) -> HttpResponse:
    datasets = window(Dataset.objects.newest_first(), request.GET.get("offset"))
    return render(request, "datasets/list.html", {"room": "datasets", "window": datasets})


@require_safe
def dataset_detail(request: HttpRequest, key: str) -> HttpResponse:
    dataset = find_dataset(key)
    if request.htmx:
        return _progress(request, dataset)
    has_rows = dataset.is_readable
    context = {
        "room": "datasets",
        "dataset": dataset,
        "job": None if dataset.status == Dataset.Status.FROZEN else dataset.job,
        "rows": _first_rows(dataset) if has_rows else [],
        "has_rows": has_rows,
        "splits": panels.splits(dataset),
        "leaks": panels.leaks(dataset),
        "provenance": panels.provenance(dataset),
        "versions": panels.versions(dataset),
        "charts": figures_of(dataset) if dataset.stats else [],
        "downloads": TITLES,
        "evalsets": dataset.evalsets.all(),
    }
    return render(request, "datasets/detail.html", context)


@require_POST
def dataset_cancel(request: HttpRequest, key: str) -> HttpResponse:
    dataset = find_dataset(key)
    try:
        services.cancel_build(dataset=dataset)
    except Refused as refused:
        messages.error(request, refused.detail)
    return redirect("dataset_detail", dataset.key)


@require_POST
def dataset_restore(request: HttpRequest, key: str) -> HttpResponse:
    """For staff: the database or the directory put right from the other."""
    if not request.user.is_staff:  # type: ignore[union-attr]
        raise PermissionDenied
    dataset = find_dataset(key)
    try:
        restored = services.restore_dataset(key=dataset.key, source=request.POST.get("source"), by=request.user)
        mended = "; ".join(str(fault) for fault in restored.mended)
        done = f"Restored from {restored.source}: {mended}." if mended else "Database and directory agree."
        messages.success(request, done)
    except Invalid as invalid:
        messages.error(request, str(invalid))
    except Refused as refused:
        messages.error(request, refused.detail)
    return redirect("dataset_detail", dataset.key)


@require_safe
def dataset_manifest(request: HttpRequest, key: str) -> HttpResponseBase:
    dataset = find_dataset(key)
    try:
        dataset.check_readable()
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("dataset_detail", dataset.key)
    file = dataset.manifest_path.open("rb")
    return FileResponse(file, as_attachment=True, filename=f"{dataset.key}.manifest.json")


@require_safe
def trace_datasets(request: HttpRequest, trace_id: UUID) -> HttpResponse:
    """The datasets that hold a trace, for the trace's page."""
    trace = get_object_or_404(Trace.objects.visible(), pk=trace_id)
    datasets = Dataset.objects.frozen().filter(items__trace=trace).newest_first()
    template = "datasets/_of_trace.html" if request.htmx else "datasets/of_trace.html"
    return render(request, template, {"room": "traces", "trace": trace, "datasets": datasets})


def find_dataset(key: str) -> Dataset:
    return get_object_or_404(Dataset.objects.with_key(key))


def _first_rows(dataset: Dataset) -> list[dict]:
    """None of a file that somebody altered: what can be done about that, the page says below."""
    try:
        return list(islice(read_lines(dataset.rows_path), FIRST_ROWS))
    except Unavailable:
        return []


def _progress(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    """What changes while a dataset is being built. When it has ended the whole page is to be drawn anew."""
    response = render(request, "datasets/_progress.html", {"dataset": dataset, "job": dataset.job})
    if dataset.status not in (Dataset.Status.BUILDING, Dataset.Status.SEALING):
        response["HX-Refresh"] = "true"
    return response
