"""Downloads of datasets over HTTP."""

from django.http import FileResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from datasets_app import schemas, services
from datasets_app.api.datasets import find_dataset
from tunixrt.lib.api import OneFormat, only_known


class DatasetExport(APIView):
    content_negotiation_class = OneFormat

    @extend_schema(parameters=schemas.EXPORT, responses={(200, "application/x-ndjson"): OpenApiTypes.STR})
    def get(self, request: Request, key: str) -> HttpResponseBase:
        query = request.query_params
        only_known(query, {"format", "split"})
        rows = services.export_rows(find_dataset(key), format=query.get("format", "trace"), split=query.get("split"))
        return StreamingHttpResponse(rows, content_type="application/x-ndjson; charset=utf-8")


class DatasetArchive(APIView):
    content_negotiation_class = OneFormat

    @extend_schema(parameters=[schemas.SPLIT], responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request, key: str) -> FileResponse:
        """Parquet and a dataset card: unpacked, `datasets.load_dataset` opens it."""
        only_known(request.query_params, {"split"})
        file = services.export_zip(find_dataset(key), split=request.query_params.get("split"))
        return FileResponse(file, content_type="application/zip")
