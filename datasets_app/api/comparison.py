"""Two datasets beside each other, over HTTP."""

from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers as s
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from datasets_app import row_schemas, schemas, services
from tunixrt.lib.api import only_known
from tunixrt.lib.pagination import WINDOW, cursor_page
from tunixrt.lib.schemas import WINDOW_PARAMETERS, Pagination

PARAMETERS = [
    OpenApiParameter("base", str, required=True, description="The key of a frozen dataset."),
    OpenApiParameter("other", str, required=True, description="The key of a frozen dataset."),
    OpenApiParameter("kind", str, enum=list(services.KINDS), default="added", description="The rows that come along."),
    *WINDOW_PARAMETERS,
    OpenApiParameter("cursor", str, description="`next_cursor` of the window before; costs the same however deep."),
]


class ComparedRow(row_schemas.ListedRow):
    split_there = s.CharField(required=False, help_text="Of `changed_split`: the split in the base.")
    same_at = s.IntegerField(
        required=False, allow_null=True, help_text="Where the opposite dataset has a row of the same content."
    )


Counts = inline_serializer("DatasetComparisonCounts", {name: s.IntegerField() for name in ("kept", *services.KINDS)})
Difference = inline_serializer(
    "RequestDifference", {"name": s.CharField(), "base": s.JSONField(), "other": s.JSONField()}, many=True
)
Comparison = inline_serializer(
    "DatasetComparison",
    {
        "base": schemas.Dataset(),
        "other": schemas.Dataset(),
        "same_bytes": s.BooleanField(),
        "counts": Counts,
        "differences": Difference,
        "kind": s.ChoiceField(list(services.KINDS)),
        "data": ComparedRow(many=True),
        "pagination": Pagination(),
    },
)


class DatasetsCompare(APIView):
    @extend_schema(operation_id="datasets_compare", parameters=PARAMETERS, responses=Comparison)
    def get(self, request: Request) -> Response:
        """How many rows came, went or changed their split, what was asked for otherwise, and the rows of one kind."""
        query = request.query_params
        only_known(query, WINDOW | {"base", "other", "kind", "cursor"})
        base, other = (services.named_dataset(query.get(name), name) for name in ("base", "other"))
        found = services.compare_datasets(base=base, other=other)
        kind = query.get("kind", "added")
        rows = cursor_page(found.rows(kind), services.MANIFEST_ORDER, query, services.compared_row)
        return Response({**found.to_dict(), "kind": kind, **rows})
