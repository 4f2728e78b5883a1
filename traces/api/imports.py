"""Imports over HTTP."""

from uuid import UUID

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from traces import schemas, services
from traces.models import Import
from training.errors import Fault, Invalid, echo
from tunixrt.jobs.services import once
from tunixrt.lib.api import read_object
from tunixrt.lib.errors import OutOfSpace, Refused, TooLarge

IMPORT_FIELDS = {"format", "source", "skip_bad", "dry_run"}
FLAGS = {"true": True, "1": True, "on": True, "false": False, "0": False, "": False}
FORM_BYTES = 64 * 1024  # what a form may hold beside its file


class TraceImports(APIView):
    parser_classes = [MultiPartParser]

    @extend_schema(
        request={"multipart/form-data": schemas.ImportRequest},
        parameters=[OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)],
        responses={
            200: OpenApiResponse(schemas.Preview, description="With `dry_run`: what would be imported."),
            201: schemas.Import,
            202: schemas.Import,
        },
    )
    def post(self, request: Request) -> Response:
        """Imports a file. A large one goes on in the background: 202, and `url` tells how far it is."""
        options = read_upload(request)
        upload = options["upload"]
        if options.pop("dry_run"):
            return Response(previewed(upload, options))
        target, new = once(
            user=request.user,
            key=request.headers.get("Idempotency-Key"),
            request=options | {"upload": [upload.name, services.sha256_of(upload)]},
            create=lambda: services.import_upload(**options, by=request.user).pk,
        )
        row = Import.objects.get(pk=target)
        if row.status == Import.Status.FAILED:
            raise failure(row)
        loading = row.status == Import.Status.LOADING
        return Response(shown(row), status=202 if loading else 201 if new else 200)


class ImportDetail(APIView):
    @extend_schema(responses=schemas.Import)
    def get(self, request: Request, import_id: UUID) -> Response:
        return Response(shown(get_object_or_404(Import, pk=import_id)))


class ImportUndo(APIView):
    @extend_schema(request=None, responses={202: schemas.Import})
    def post(self, request: Request, import_id: UUID) -> Response:
        """Takes an import's traces away again: out of sight at once, deleted in the background.

        409 while a dataset holds one of them, or a correction stems from one.
        """
        row = services.undo_import(row=get_object_or_404(Import, pk=import_id), by=request.user)
        return Response(shown(row), status=202)


def previewed(upload, options: dict) -> dict:
    """What an upload would become."""
    services.check_size(upload)
    how = {name: options[name] for name in ("format", "source") if name in options}
    return services.preview(file=upload.file, file_name=upload.name, **how).to_dict()


def failure(row: Import) -> Invalid | OutOfSpace:
    faults = row.faults
    return OutOfSpace(faults[0].msg) if faults[0].type == "disk_full" else Invalid(faults)


def shown(row: Import) -> dict:
    return row.to_dict() | {"url": reverse("api_import_detail", args=[row.pk])}


def read_upload(request: Request) -> dict:
    """The one file of a form and its options."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.UPLOAD_MAX_BYTES + FORM_BYTES:
        raise TooLarge(f"The file is larger than {settings.UPLOAD_MAX_BYTES} bytes (UPLOAD_MAX_BYTES).")
    files = request.FILES
    uploads = files.getlist("file")
    if len(uploads) != 1 or len(files) != 1:
        raise Refused("Send exactly one file, with a name, in the field `file`.", code="one_file")
    options = {name: value for name, value in request.data.items() if name != "file"}
    read_object(options, IMPORT_FIELDS)
    return options | {"upload": uploads[0]} | {name: read_flag(options, name) for name in ("skip_bad", "dry_run")}


def read_flag(options: dict, name: str) -> bool:
    text = options.get(name, "false").lower()
    if text not in FLAGS:
        raise Invalid(Fault((name,), f"must be true or false, not {echo(text)}", "wrong_value"))
    return FLAGS[text]
