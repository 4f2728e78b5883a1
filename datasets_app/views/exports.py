"""Downloads of datasets from their pages."""

from django.contrib import messages
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from datasets_app import services
from datasets_app.exports import PARQUET
from datasets_app.views.datasets import find_dataset
from training.errors import Invalid
from tunixrt.lib.errors import Refused


@require_safe
def dataset_export(request: HttpRequest, key: str) -> HttpResponseBase:
    dataset, format, split = find_dataset(key), request.GET.get("format", "trace"), request.GET.get("split") or None
    try:
        if format == PARQUET:
            name = ".".join(part for part in (dataset.key, split, "zip") if part)
            return FileResponse(services.export_zip(dataset, split=split), as_attachment=True, filename=name)
        rows = services.export_rows(dataset, format=format, split=split)
    except (Invalid, Refused) as error:
        messages.error(request, str(error))
        return redirect("dataset_detail", dataset.key)
    name = ".".join(part for part in (dataset.key, split, format, "jsonl") if part)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(rows, content_type="application/x-ndjson; charset=utf-8", headers=headers)
