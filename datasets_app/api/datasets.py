"""Datasets over HTTP."""

from django.http import FileResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from datasets_app import schemas, services
from datasets_app.models import Dataset
from training.errors import Invalid
from training.request_fields import flag, within
from tunixrt.lib.api import body_of, only_known
from tunixrt.lib.pagination import WINDOW, page
from tunixrt.lib.schemas import WINDOW_PARAMETERS

BUILT = ("dataset_key", "build_id", "trace_count", "manifest_path", "status")


class DatasetBuild(APIView):
    @extend_schema(
        request=schemas.BuildRequest,
        parameters=[schemas.IDEMPOTENCY_KEY],
        responses={201: schemas.Built, 200: schemas.BuiltOrPreview, 202: schemas.Built},
    )
    def post(self, request: Request) -> Response:
        """201 when it is frozen, 202 when a worker builds it, 200 when it was there already.

        With `dry_run`, 200 and what the build would take; nothing is stored.
        """
        body, is_dry_run = _without_dry_run(body_of(request))
        if is_dry_run:
            return Response(services.preview_build(request=body).to_dict())
        dataset, is_new = services.build_dataset(
            request=body, by=request.user, idempotency_key=request.headers.get("Idempotency-Key")
        )
        row = dataset.to_dict()
        is_frozen = dataset.status == Dataset.Status.FROZEN
        return Response({name: row[name] for name in BUILT}, status=(201 if is_new else 200) if is_frozen else 202)


class DatasetList(APIView):
    @extend_schema(operation_id="datasets_list", parameters=WINDOW_PARAMETERS, responses=schemas.Datasets)
    def get(self, request: Request) -> Response:
        only_known(request.query_params, WINDOW)
        return Response(page(Dataset.objects.newest_first(), request.query_params, Dataset.to_dict))


class DatasetDetail(APIView):
    @extend_schema(responses=schemas.DatasetDetail)
    def get(self, request: Request, key: str) -> Response:
        dataset = find_dataset(key)
        details = {"request": dataset.request, "stats": dataset.stats, "gates": dataset.gates}
        return Response(dataset.to_dict() | details)


class DatasetManifest(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, key: str) -> FileResponse:
        dataset = find_dataset(key)
        dataset.check_readable()
        return FileResponse(dataset.manifest_path.open("rb"), content_type="application/json")


def _without_dry_run(body: object) -> tuple[object, bool]:
    """The request of a build, and whether it is only to be looked at."""
    if not isinstance(body, dict) or "dry_run" not in body:
        return body, False
    try:
        return {name: value for name, value in body.items() if name != "dry_run"}, flag(body["dry_run"])
    except Invalid as invalid:
        raise Invalid(within(invalid, "dry_run"))


def find_dataset(key: str) -> Dataset:
    """The dataset of a key from an address, or 404: for a key that cannot be as well."""
    return get_object_or_404(Dataset.objects.with_key(key))
