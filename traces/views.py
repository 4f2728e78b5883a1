"""Pages of traces and imports."""

from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from traces import services
from traces.forms import FORMAT_HELP, FilterForm, ImportForm
from traces.models import Import, Trace
from training.errors import Fault, Invalid
from tunixrt.lib.errors import Refused
from tunixrt.lib.windows import window


@require_safe
def trace_list(request: HttpRequest) -> HttpResponse:
    form = FilterForm(request.GET)
    filters, faults = form.filters()
    traces = Trace.objects.for_list().newest_first().matching(filters) if not faults else Trace.objects.none()
    imported = form.is_valid() and form.cleaned_data["imported"]
    if imported:
        traces = traces.by_import_id(imported)
    found = window(traces, request.GET.get("offset"))
    context = {"form": form, "faults": faults, "window": found, "filtered": bool(filters or faults or imported)}
    return page(request, "traces/trace_list.html", context)


@require_safe
def trace_detail(request: HttpRequest, trace_id: UUID) -> HttpResponse:
    trace = get_object_or_404(Trace.objects.for_detail(), pk=trace_id)
    meta = sorted((trace.payload["meta"] or {}).items())
    return page(request, "traces/trace_detail.html", {"trace": trace, "meta": meta})


@require_POST
def trace_score(request: HttpRequest, trace_id: UUID) -> HttpResponse:
    score = services.score_trace(trace=visible_trace(trace_id), by=request.user)
    messages.success(request, f"Scored {score.score:.1f} of 100 by {score.scorer}.")
    return redirect("trace_detail", trace_id)


@require_POST
def trace_delete(request: HttpRequest, trace_id: UUID) -> HttpResponse:
    try:
        services.delete_trace(trace=visible_trace(trace_id))
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("trace_detail", trace_id)
    messages.success(request, "The trace is deleted.")
    return redirect("trace_list")


@require_safe
def trace_compare(request: HttpRequest) -> HttpResponse:
    try:
        base, other = (visible_trace(UUID(request.GET.get(name, ""))) for name in ("base", "other"))
    except ValueError:
        messages.error(request, "Choose two traces to compare: one as A, one as B.")
        return redirect("trace_list")
    return page(request, "traces/trace_compare.html", {"comparison": services.compare(base=base, other=other)})


@require_http_methods(["GET", "POST"])
def trace_import(request: HttpRequest) -> HttpResponse:
    """The form; a small file that fails is told of here, everything else on the import's own page."""
    form = ImportForm(request.POST or None, request.FILES or None)
    faults: list[Fault] = []
    if form.is_valid():
        row, faults = take_in(request, form)
        if row and not faults:
            return redirect("import_detail", row.pk)
    context = {"form": form, "faults": faults, "formats": FORMAT_HELP}
    return page(request, "traces/trace_import.html", context, status=422 if faults or form.errors else 200)


@require_safe
def import_list(request: HttpRequest) -> HttpResponse:
    imports = Import.objects.select_related("created_by")
    return page(request, "traces/import_list.html", {"window": window(imports, request.GET.get("offset"))})


@require_safe
def import_detail(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """The page of an import; its status alone when htmx asks again."""
    row = get_object_or_404(Import.objects.select_related("created_by"), pk=import_id)
    template = "traces/_import_status.html" if request.htmx else "traces/import_detail.html"  # type: ignore[attr-defined]
    return page(request, template, {"row": row, "job": row.job})


@require_safe
def import_rejected(request: HttpRequest, import_id: UUID) -> FileResponse:
    row = get_object_or_404(Import, pk=import_id, status=Import.Status.DONE)
    try:
        file = row.rejected_path.open("rb")
    except FileNotFoundError:
        raise Http404
    return FileResponse(file, as_attachment=True, filename="rejected.jsonl", content_type="application/octet-stream")


@require_POST
def import_cancel(request: HttpRequest, import_id: UUID) -> HttpResponse:
    try:
        services.cancel_import(row=get_object_or_404(Import, pk=import_id))
    except Refused as refused:
        messages.error(request, refused.detail)
    return redirect("import_detail", import_id)


def take_in(request: HttpRequest, form: ImportForm) -> tuple[Import | None, list[Fault]]:
    data = dict(form.cleaned_data)
    try:
        row = services.import_upload(upload=data.pop("file"), **data, by=request.user)
    except Invalid as invalid:
        return None, invalid.faults
    except Refused as refused:
        return None, [Fault(("file",), refused.detail, refused.code)]
    return row, row.faults if row.status == Import.Status.FAILED else []


def visible_trace(trace_id: UUID) -> Trace:
    return get_object_or_404(Trace.objects.visible(), pk=trace_id)


def page(request: HttpRequest, template: str, context: dict, status: int = 200) -> HttpResponse:
    return render(request, template, {"room": "traces", **context}, status=status)
