"""Pages of imports."""

from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from traces import services
from traces.forms.imports import FORMAT_HELP, FormatForm, StartForm, UploadForm
from traces.models import Import
from traces.views.page import page
from training.errors import Fault, Invalid
from tunixrt.lib.errors import Refused
from tunixrt.lib.windows import window


@require_http_methods(["GET", "POST"])
def trace_import(request: HttpRequest) -> HttpResponse:
    """Takes a file; its page shows what would become of it."""
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    faults: list[Fault] = []
    if form.is_valid():
        try:
            return redirect("import_detail", services.keep_upload(upload=form.cleaned_data["file"], by=request.user).pk)
        except Invalid as invalid:
            faults = invalid.faults
        except Refused as refused:
            faults = [Fault(("file",), refused.detail, refused.code)]
    context = {"form": form, "faults": faults, "formats": FORMAT_HELP}
    return page(request, "traces/trace_import.html", context, status=422 if faults or form.errors else 200)


@require_safe
def import_list(request: HttpRequest) -> HttpResponse:
    imports = Import.objects.select_related("created_by")
    return page(request, "traces/import_list.html", {"window": window(imports, request.GET.get("offset"))})


@require_safe
def import_detail(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """The page of an import: what would become of a file that waits, else how it went; its status alone for htmx."""
    row = get_object_or_404(Import.objects.select_related("created_by"), pk=import_id)
    if row.status == Import.Status.WAITING:
        return import_preview(request, row, StartForm(initial={"source": row.source}))
    template = "traces/_import_status.html" if request.htmx else "traces/import_detail.html"  # type: ignore[attr-defined]
    return page(request, template, {"row": row, "job": row.job})


@require_POST
def import_start(request: HttpRequest, import_id: UUID) -> HttpResponse:
    row, form = get_object_or_404(Import, pk=import_id), StartForm(request.POST)
    if not form.is_valid():
        waits = row.status == Import.Status.WAITING
        return import_preview(request, row, form) if waits else redirect("import_detail", import_id)
    try:
        services.start_import(row=row, **form.cleaned_data)
    except Invalid as invalid:
        messages.error(request, str(invalid))
    except Refused as refused:
        messages.error(request, refused.detail)
    return redirect("import_detail", import_id)


@require_POST
def import_discard(request: HttpRequest, import_id: UUID) -> HttpResponse:
    row = get_object_or_404(Import, pk=import_id)
    try:
        services.discard_import(row=row)
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("import_detail", import_id)
    messages.success(request, f"{row.file_name} is discarded. Nothing was imported.")
    return redirect("trace_import")


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
    return try_to(request, import_id, services.cancel_import)


@require_POST
def import_undo(request: HttpRequest, import_id: UUID) -> HttpResponse:
    return try_to(request, import_id, services.undo_import, by=request.user)


@require_POST
def twins_find(request: HttpRequest) -> HttpResponse:
    services.find_twins(by=request.user)
    messages.success(request, "Near-duplicates are being looked for among the traces that were not compared yet.")
    return redirect(f"{reverse('trace_list')}?twin.is=true")


def import_preview(request: HttpRequest, row: Import, form: StartForm) -> HttpResponse:
    chosen = form.data.get("format") or request.GET.get("format", "auto")
    found, faults = services.Preview(), []
    try:
        found = services.preview_import(row=row, format=chosen)
    except Invalid as invalid:
        faults = invalid.faults
    except Refused as refused:
        faults = [Fault(("file",), refused.detail, refused.code)]
    form.initial["format"] = chosen
    context = {"row": row, "choice": FormatForm({"format": chosen}), "form": form, "preview": found, "faults": faults}
    return page(request, "traces/import_preview.html", context, status=422 if form.errors or faults else 200)


def try_to(request: HttpRequest, import_id: UUID, service, **options) -> HttpResponse:
    """Does something with an import and leads back to its page, which says how it went."""
    try:
        service(row=get_object_or_404(Import, pk=import_id), **options)
    except Refused as refused:
        messages.error(request, refused.detail)
    return redirect("import_detail", import_id)
