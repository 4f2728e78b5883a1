"""UNGAR's episodes over HTTP."""

from collections.abc import Mapping
from uuid import UUID

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from traces import schemas
from traces.services import episodes
from training.errors import Fault, Invalid, echo
from tunixrt.lib.api import OneFormat, body_of, only_known, read_object
from tunixrt.lib.pagination import whole_number


class UngarStatus(APIView):
    @extend_schema(responses=schemas.UngarStatus)
    def get(self, request: Request) -> Response:
        """Whether UNGAR can be used, and the line that installs it."""
        return Response(episodes.status())


class UngarGenerate(APIView):
    @extend_schema(request=schemas.UngarRequest, responses={201: schemas.UngarGenerated})
    def post(self, request: Request) -> Response:
        """Plays `count` episodes, of the seeds from `seed` on. 501 without UNGAR."""
        body = read_object(body_of(request), {"count", "seed", "task", "persist"})
        wanted = episodes.read_request(body)
        ids = episodes.store(wanted, by=request.user)[0] if wanted.persist else []
        shown = [episode.to_dict() for episode in episodes.preview(wanted)]
        return Response({"trace_ids": ids, "preview": shown, "seed": wanted.seed, "task": wanted.task}, status=201)


class UngarExport(APIView):
    content_negotiation_class = OneFormat

    @extend_schema(parameters=schemas.UNGAR_EXPORT, responses={(200, "application/x-ndjson"): OpenApiTypes.STR})
    def get(self, request: Request) -> StreamingHttpResponse:
        """The kept episodes as rows of the `trace` export, newest first; all of them without `limit`."""
        query = request.query_params
        only_known(query, {"limit", "trace_ids"})
        rows = episodes.export_rows(limit=read_limit(query), trace_ids=read_ids(query))
        return StreamingHttpResponse(rows, content_type="application/x-ndjson; charset=utf-8")


def read_limit(query: Mapping[str, str]) -> int | None:
    most = episodes.EXPORT_ROWS
    return whole_number(query, "limit", 0, most[0], most[-1]) if "limit" in query else None


def read_ids(query: Mapping[str, str]) -> list[UUID]:
    """The ids of `trace_ids`, parted by commas; none when it is not given."""
    if "trace_ids" not in query:
        return []
    try:
        return [UUID(text.strip()) for text in query["trace_ids"].split(",")]
    except ValueError:
        message = f"must be ids of traces with commas between them, not {echo(query['trace_ids'])}"
        raise Invalid(Fault(("trace_ids",), message, "wrong_value"))
