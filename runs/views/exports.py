"""Downloads of an examination from the run's page."""

from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from runs import exports
from runs.views.finding import find_run_or_404
from training.errors import Invalid
from tunixrt.lib.errors import Refused


@require_safe
def run_export(request: HttpRequest, run_id: UUID) -> HttpResponseBase:
    run = find_run_or_404(run_id)
    try:
        found = exports.download(run, request.GET.get("format", ""))
    except (Invalid, Refused) as error:
        messages.error(request, str(error))
        return redirect("run_detail", run.pk)
    response = FileResponse(found.file, as_attachment=True, filename=found.name, content_type=found.content_type)
    response["Content-Security-Policy"] = "sandbox"
    return response
