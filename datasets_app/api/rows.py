"""The rows of a dataset over HTTP."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from datasets_app import row_schemas as schemas
from datasets_app import services
from datasets_app.api.datasets import find_dataset
from tunixrt.lib.api import only_known
from tunixrt.lib.pagination import WINDOW, cursor_page

FILTERS = ("split", "gate", "group")
SETTINGS = {"recipe", "max_length", "vocab_size"}


class DatasetRows(APIView):
    @extend_schema(operation_id="dataset_rows_list", parameters=schemas.ROW_FILTERS, responses=schemas.DatasetRows)
    def get(self, request: Request, key: str) -> Response:
        """Rows in manifest order, numbered from 0. `export.jsonl` has them whole."""
        query = request.query_params
        only_known(query, WINDOW | {"cursor", *FILTERS})
        rows = services.list_rows(find_dataset(key), **{name: query.get(name) for name in FILTERS})
        return Response(cursor_page(rows, services.MANIFEST_ORDER, query, services.listed))


class DatasetRow(APIView):
    @extend_schema(operation_id="dataset_row", responses=schemas.DatasetRow)
    def get(self, request: Request, key: str, position: int) -> Response:
        """A row with its group and the gates that named it."""
        only_known(request.query_params, set())
        return Response(services.row_at(find_dataset(key), position).to_dict())


class DatasetRowTokens(APIView):
    @extend_schema(operation_id="dataset_row_tokens", parameters=schemas.RUN_SETTINGS, responses=schemas.Sight)
    def get(self, request: Request, key: str, position: int) -> Response:
        """What the model sees of a row. The first call for a tokenizer learns it, which takes seconds."""
        only_known(request.query_params, SETTINGS)
        dataset = find_dataset(key)
        settings = services.read_settings(dataset, request.query_params)
        row = services.row_at(dataset, position)
        return Response(services.describe_sight(row, services.sight_of(dataset, row, settings), settings))
