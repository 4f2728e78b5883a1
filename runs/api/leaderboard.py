"""All runs on one evalset, over HTTP."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs import schemas, services
from runs.entries import FILTERS
from runs.services import Standing
from tunixrt.lib.api import only_known
from tunixrt.lib.pagination import WINDOW, page
from tunixrt.lib.schemas import WINDOW_PARAMETERS, listing


class Leaderboard(APIView):
    @extend_schema(
        operation_id="leaderboard",
        parameters=[*WINDOW_PARAMETERS, schemas.EVALSET, *schemas.ENTRY_FILTERS],
        responses=listing(schemas.Standing),
    )
    def get(self, request: Request) -> Response:
        """Completed runs on one evalset, the best first. Runs of the same rank are not told apart by their intervals.

        The newest run of each dataset, engine and config counts. Those that another version judged come last, with
        ranks of their own.
        """
        query = request.query_params
        only_known(query, WINDOW | FILTERS | {"evalset"})
        board = services.leaderboard(evalset=services.find_evalset(query.get("evalset")), query=query)
        return Response(page(board, query, Standing.to_dict))
