"""Evalsets over HTTP."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from datasets_app import schemas, services
from datasets_app.models import Dataset, EvalItem, EvalSet
from training.errors import Fault, Invalid
from tunixrt.lib.api import body_of, only_known, read_object
from tunixrt.lib.pagination import WINDOW, page
from tunixrt.lib.schemas import WINDOW_PARAMETERS


class EvalsetList(APIView):
    @extend_schema(operation_id="evalsets_list", parameters=WINDOW_PARAMETERS, responses=schemas.Evalsets)
    def get(self, request: Request) -> Response:
        only_known(request.query_params, WINDOW)
        return Response(page(EvalSet.objects.with_dataset().newest_first(), request.query_params, EvalSet.to_dict))

    @extend_schema(request=schemas.EvalsetRequest, responses={201: schemas.Evalset})
    def post(self, request: Request) -> Response:
        """Of a split (`dataset_key`, `split`), of a list (`name`, `items`), or one that is shipped (`name`).

        The same items make the same evalset, however often they are sent.
        """
        return Response(make_evalset(body_of(request), request.user).to_dict(), status=201)


class EvalsetDetail(APIView):
    @extend_schema(parameters=WINDOW_PARAMETERS, responses=schemas.EvalsetDetail)
    def get(self, request: Request, evalset_id: UUID) -> Response:
        only_known(request.query_params, WINDOW)
        evalset = get_object_or_404(EvalSet.objects.with_dataset(), pk=evalset_id)
        return Response(
            evalset.to_dict() | {"items": page(evalset.items.all(), request.query_params, EvalItem.to_dict)}
        )


def make_evalset(data: Any, by) -> EvalSet:
    body = read_object(data, {"dataset_key", "split", "name", "items"})
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
