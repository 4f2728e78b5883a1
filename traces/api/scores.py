"""Scoring in bulk over HTTP."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from traces import schemas, services
from traces.filters import read_filters
from traces.models import Scoring
from training.errors import Fault, Invalid
from training.schema import kind
from tunixrt.lib.api import body_of, read_object


class TraceScoring(APIView):
    @extend_schema(
        operation_id="traces_scorings_create", request=schemas.ScoringRequest, responses={202: schemas.Scoring}
    )
    def post(self, request: Request) -> Response:
        """Scores all traces that pass the filters, in the background; `url` tells how far it is."""
        body = read_object(body_of(request), {"filters", "scorers"})
        scorers = read_names(body.get("scorers", [services.ALL]))
        try:
            filters = read_filters(body.get("filters", {}))
        except Invalid as invalid:
            raise Invalid(replace(fault, loc=("filters", *fault.loc)) for fault in invalid.faults)
        scoring = services.begin_scoring(scorers=scorers, filters=filters, by=request.user)
        return Response(shown(scoring), status=202)


class ScoringDetail(APIView):
    @extend_schema(responses=schemas.Scoring)
    def get(self, request: Request, scoring_id: UUID) -> Response:
        return Response(shown(get_object_or_404(Scoring, pk=scoring_id)))

    @extend_schema(responses={202: schemas.Scoring})
    def delete(self, request: Request, scoring_id: UUID) -> Response:
        """Stops it; what it has scored stays."""
        scoring = get_object_or_404(Scoring, pk=scoring_id)
        services.cancel_scoring(scoring=scoring)
        return Response(shown(scoring), status=202)


def read_names(value: Any) -> list:
    if not isinstance(value, list):
        raise Invalid(Fault(("scorers",), f"is {kind(value)}; it must be a list of names", "wrong_type"))
    return value


def shown(scoring: Scoring) -> dict:
    """A scoring with the state of its job."""
    job = scoring.job
    names = ("id", "scorers", "filters", "scored_count", "created_at")
    return {name: getattr(scoring, name) for name in names} | {
        "status": job.status if job else None,
        "error": job.error if job else "",
        "progress": job and {"done": job.done, "total": job.total, "eta_seconds": job.eta_seconds},
        "url": reverse("api_scoring_detail", args=[scoring.pk]),
    }
