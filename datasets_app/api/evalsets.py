"""Evalsets over HTTP."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import FileResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from datasets_app import schemas, services
from datasets_app.build_request import SEEDS
from datasets_app.item_filters import FILTERS, filtered_items
from datasets_app.models import Dataset, EvalItem, EvalSet
from training.errors import Fault, Invalid
from training.held_out import COUNTS
from training.problems import PROBLEMS
from training.request_fields import choice, read_fields, whole
from training.request_fields import text as at_most
from tunixrt.lib.api import OneFormat, body_of, only_known, read_object
from tunixrt.lib.pagination import WINDOW, page
from tunixrt.lib.schemas import WINDOW_PARAMETERS

OF_A_PROBLEM = {
    "problem": choice(*PROBLEMS),
    "count": whole(COUNTS),
    "seed": whole(SEEDS),
    "difficulty": whole(range(1001)),
    "name": at_most(200),
}


class EvalsetList(APIView):
    @extend_schema(operation_id="evalsets_list", parameters=WINDOW_PARAMETERS, responses=schemas.Evalsets)
    def get(self, request: Request) -> Response:
        only_known(request.query_params, WINDOW)
        return Response(page(EvalSet.objects.with_dataset().newest_first(), request.query_params, EvalSet.to_dict))

    @extend_schema(request=schemas.EvalsetRequest, responses={201: schemas.Evalset})
    def post(self, request: Request) -> Response:
        """Of a split (`dataset_key`, `split`), of a list (`name`, `items`), of a generated problem (`problem`, `count`,
        `seed`, `difficulty`, `name`), or one that is shipped (`name`).

        The same items make the same evalset, however often they are sent.
        """
        return Response(make_evalset(body_of(request), request.user).to_dict(), status=201)


class EvalsetDetail(APIView):
    @extend_schema(parameters=[*WINDOW_PARAMETERS, *schemas.ITEM_FILTERS], responses=schemas.EvalsetDetail)
    def get(self, request: Request, evalset_id: UUID) -> Response:
        """The evalset with a window of its items, those that pass the filters."""
        query = request.query_params
        only_known(query, WINDOW | FILTERS)
        evalset = find_evalset(evalset_id)
        items = filtered_items(evalset, query)
        counts = EvalItem.objects.filter(evalset=evalset).label_counts().get(evalset.pk, {})
        return Response(evalset.to_dict() | {"labels": counts, "items": page(items, query, EvalItem.to_dict)})


class EvalsetItems(APIView):
    content_negotiation_class = OneFormat

    @extend_schema(responses={(200, "application/x-ndjson"): OpenApiTypes.STR})
    def get(self, request: Request, evalset_id: UUID) -> FileResponse:
        """All items as canonical JSON lines, the steps of their references among them; their SHA-256 is the hash."""
        only_known(request.query_params, set())
        evalset = find_evalset(evalset_id)
        file = services.open_items(evalset)
        return FileResponse(file, as_attachment=True, filename=evalset.file_name, content_type="application/x-ndjson")


class EvalsetsCompare(APIView):
    @extend_schema(parameters=schemas.EVALSET_SIDES, responses=schemas.EvalsetComparison)
    def get(self, request: Request) -> Response:
        """What differs between two evalsets, item by item; items are the same when their ids are."""
        query = request.query_params
        only_known(query, {"base", "other"})
        base, other = (services.named_evalset(query.get(name), name) for name in ("base", "other"))
        return Response(services.compare_evalsets(base=base, other=other).to_dict())


def find_evalset(evalset_id: UUID) -> EvalSet:
    return get_object_or_404(EvalSet.objects.with_dataset(), pk=evalset_id)


def make_evalset(data: Any, by) -> EvalSet:
    body = read_object(data, {"dataset_key", "split", "name", "items", *OF_A_PROBLEM})
    if body.get("problem") is not None:
        return services.evalset_from_problem(**read_fields(body, OF_A_PROBLEM), by=by)
    if "dataset_key" in body:
        read_object(body, {"dataset_key", "split"})
        dataset = Dataset.objects.with_key(text(body, "dataset_key")).first()
        if dataset is None:
            raise Invalid(Fault(("dataset_key",), "there is no dataset with this key", "unknown_dataset"))
        return services.evalset_from_split(dataset=dataset, split=text(body, "split"), by=by)
    read_object(body, {"name", "items"})
    if "items" in body:
        return services.evalset_from_items(items=body["items"], name=text(body, "name"), by=by)
    return services.shipped_evalset(name=text(body, "name"), by=by)


def text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Invalid(Fault((name,), "is missing; give a text", "missing_field"))
    return value
