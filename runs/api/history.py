"""Baselines, gates and what the runs on an evalset came to, over HTTP."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from datasets_app.models import EvalSet
from runs import schemas, services
from runs.api.asked import get_run
from runs.entries import FILTERS
from runs.services import Record
from training.gate import read_margin
from tunixrt.lib.api import only_known
from tunixrt.lib.pagination import WINDOW, page
from tunixrt.lib.schemas import WINDOW_PARAMETERS, listing


class RunGate(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter("base", UUID, description="The baseline of its evalset by default."),
            OpenApiParameter("margin", float, description="So many points worse are let pass; 0 by default."),
        ],
        responses=schemas.Gate,
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        """Whether a run is surely worse than the baseline of its evalset, or than another run on it."""
        query = request.query_params
        only_known(query, {"base", "margin"})
        base = services.find_run(query["base"], "base") if "base" in query else None
        margin = read_margin(query.get("margin", "0"))
        return Response(services.gate_run(run=get_run(run_id), base=base, margin=margin).to_dict())


class EvalsetHistory(APIView):
    @extend_schema(
        operation_id="evalset_history",
        parameters=[*WINDOW_PARAMETERS, *schemas.ENTRY_FILTERS],
        responses=listing(schemas.Record),
    )
    def get(self, request: Request, evalset_id: UUID) -> Response:
        """Completed runs on an evalset, the newest first, each with its score and what the gate says of it."""
        query = request.query_params
        only_known(query, WINDOW | FILTERS)
        evalset = get_object_or_404(EvalSet, pk=evalset_id)
        return Response(page(services.history(evalset=evalset, query=query), query, Record.to_dict))
