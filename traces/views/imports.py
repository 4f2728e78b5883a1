"""Pages of imports."""

from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from traces import services
from traces.forms import FORMAT_HELP, ImportForm
from traces.models import Import
from traces.views.page import page
from training.errors import Fault, Invalid
from tunixrt.lib.errors import Refused
from tunixrt.lib.windows import window


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
