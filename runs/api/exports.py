"""Downloads of an examination over HTTP."""

from uuid import UUID

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from runs import exports
from runs.api.asked import get_run
from tunixrt.lib.api import OneFormat, only_known

FORMAT = OpenApiParameter("format", str, enum=list(exports.EXPORTS), required=True)


class RunExport(APIView):
    content_negotiation_class = OneFormat

    @extend_schema(
        parameters=[FORMAT],
        responses={(200, "application/zip"): OpenApiTypes.BINARY, (200, "text/html"): OpenApiTypes.STR},
    )
    def get(self, request: Request, run_id: UUID) -> FileResponse:
        """The examinations of a run: `html`, a report in one file; `lm_eval`, a zip of what lm-evaluation-harness
        writes, a directory for each checkpoint.
        """
        only_known(request.query_params, {"format"})
        found = exports.download(get_run(run_id), request.query_params.get("format", ""))
        response = FileResponse(found.file, as_attachment=True, filename=found.name, content_type=found.content_type)
        response["Content-Security-Policy"] = "sandbox"
        return response
