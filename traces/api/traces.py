"""Traces over HTTP."""

import io
from typing import Any
from uuid import UUID

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from traces import schemas, services
from traces.filters import read_query
from traces.models import Trace
from traces.models.queries import NEWEST
from training.errors import Fault, Invalid, echo
from training.formats import detect_format, evaluation, to_trace
from training.row_files import Row, read_rows
from training.schema import kind, read_trace
from training.strict_json import located
from tunixrt.lib.api import StrictJSONParser, body_of, only_known, read_object
from tunixrt.lib.errors import Refused, TooLarge
from tunixrt.lib.pagination import WINDOW, cursor_page


class TraceParser(StrictJSONParser):
    """One trace of at most TRACE_MAX_BYTES."""

    def read(self, body: bytes) -> Any:
        if len(body) > settings.TRACE_MAX_BYTES:
            raise TooLarge(f"The trace is larger than {settings.TRACE_MAX_BYTES} bytes (TRACE_MAX_BYTES).")
        return super().read(body)


class BatchParser(StrictJSONParser):
    """A list of traces, as rows, so that each is bounded and each is told its own faults."""

    def read(self, body: bytes) -> list[Row]:
        if not body.lstrip(b" \t\r\n").startswith(b"["):
            raise Invalid(Fault((), f"is {kind(super().read(body))}; it must be a list of traces", "wrong_type"))
        return list(read_rows(io.BytesIO(body), max_row_bytes=settings.TRACE_MAX_BYTES))


class Traces(APIView):
    parser_classes = [TraceParser]

    @extend_schema(operation_id="traces_list", parameters=[*schemas.PLACES, *schemas.FILTERS], responses=schemas.Traces)
    def get(self, request: Request) -> Response:
        """Traces, newest first."""
        query = request.query_params
        filters = read_query(query, besides=WINDOW | {"cursor", "sort"})
        listing = services.list_traces(filters=filters, sort=query.get("sort", NEWEST))
        return Response(cursor_page(listing.traces, listing.order, query, Trace.to_row))

    @extend_schema(request=schemas.Payload, responses={201: schemas.Created})
    def post(self, request: Request) -> Response:
        return Response(store(request, [read_trace(body_of(request))])[0], status=201)


class TraceBatch(APIView):
    parser_classes = [BatchParser]

    @extend_schema(request=schemas.BATCH, responses={201: schemas.Batch})
    def post(self, request: Request) -> Response:
        """Stores 1 to 1000 traces, all or none. A row that `eval_generate` writes becomes a trace of what it shows."""
        stored = store(request, read_batch(body_of(request)))
        return Response({"created_count": len(stored), "traces": stored}, status=201)


class TraceDetail(APIView):
    @extend_schema(responses=schemas.Trace)
    def get(self, request: Request, trace_id: UUID) -> Response:
        return Response(get_trace(trace_id).to_dict())

    @extend_schema(responses={204: None})
    def delete(self, request: Request, trace_id: UUID) -> Response:
        """Deletes a trace that no dataset holds."""
        services.delete_trace(trace=get_trace(trace_id))
        return Response(status=204)


class TraceScore(APIView):
    @extend_schema(request=schemas.ScoreRequest, responses={201: schemas.Scored})
    def post(self, request: Request, trace_id: UUID) -> Response:
        trace = get_trace(trace_id)
        criteria = read_object(request.data, {"criteria"}).get("criteria", "baseline")
        score = services.score_trace(trace=trace, scorer=criteria, by=request.user)
        return Response({"trace_id": trace.pk, "score": score.score, "details": score.details}, status=201)


class TraceCompare(APIView):
    @extend_schema(parameters=schemas.PAIR, responses=schemas.TraceComparison)
    def get(self, request: Request) -> Response:
        """Two traces side by side, each with its baseline score."""
        only_known(request.query_params, {"base", "other"})
        base, other = (get_trace(named_id(request, name)) for name in ("base", "other"))
        comparison = services.compare(base=base, other=other)
        return Response({"base": compared(comparison.base), "other": compared(comparison.other)})


def read_batch(rows: list[Row]) -> list[dict]:
    """The payloads of a batch; raises TooLarge or Invalid with the index of every item that is wrong."""
    if len(rows) > services.BATCH_ROWS:
        raise Refused(f"A batch holds at most {services.BATCH_ROWS} traces, not {len(rows)}.", code="batch_too_long")
    payloads, faults = [], []
    for row in rows:
        try:
            if isinstance(row.value, Invalid):
                raise row.value
            payloads.append(read_item(row.value))
        except Invalid as invalid:
            faults += invalid.faults if invalid is row.value else located(invalid, row.line, row.loc).faults
    if too_large := [fault for fault in faults if fault.type == "line_too_long"]:
        raise TooLarge(f"{len(too_large)} of the traces are larger than TRACE_MAX_BYTES.", faults=too_large)
    if faults:
        raise Invalid(faults)
    return payloads


def read_item(value: Any) -> dict:
    """The payload of an item of a batch: a trace, or a row that an examination wrote. Raises Invalid."""
    if type(value) is dict and evaluation.OUTPUT in value and detect_format(value) == evaluation.FORMAT.name:
        value = to_trace(value, evaluation.FORMAT.name, source=evaluation.SOURCE)
    return read_trace(value)


def get_trace(trace_id: UUID) -> Trace:
    return get_object_or_404(Trace.objects.for_detail(), pk=trace_id)


def named_id(request: Request, name: str) -> UUID:
    value = request.query_params.get(name, "")
    try:
        return UUID(value)
    except ValueError:
        raise Invalid(Fault((name,), f"must be the id of a trace, not {echo(value)}", "wrong_value"))


def store(request: Request, payloads: list[dict]) -> list[dict]:
    """Stores payloads and says of each its id, its time and its version."""
    moment = timezone.now()
    ids = services.store_traces(payloads=payloads, by=request.user, created_at=moment)
    rows = zip(ids, payloads, strict=True)
    return [{"id": key, "created_at": moment, "trace_version": payload["trace_version"]} for key, payload in rows]


def compared(side: services.Side) -> dict:
    names = ("id", "created_at", "trace_version", "payload")
    return {name: getattr(side.trace, name) for name in names} | {"score": side.score}
