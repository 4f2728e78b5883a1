"""The ledger of a run over HTTP."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs import ledgers, schemas
from runs.api.asked import get_run
from training.errors import Fault, Invalid
from tunixrt.lib.api import only_known
from tunixrt.lib.pagination import WINDOW, page, whole_number
from tunixrt.lib.schemas import WINDOW_PARAMETERS, listing

MAX_STEP = 2**32 - 1


class RunLedger(APIView):
    @extend_schema(parameters=[*WINDOW_PARAMETERS, schemas.STEP, schemas.text("row")], responses=listing(schemas.Look))
    def get(self, request: Request, run_id: UUID) -> Response:
        """The rows of a `step`, the highest loss first, or the losses of a `row` (a trace's id) over time."""
        query = request.query_params
        only_known(query, WINDOW | {"step", "row"})
        if ("step" in query) == ("row" in query):
            raise Invalid(Fault(("step",), "give either a step or a row", "wrong_value"))
        ledger = ledgers.find_ledger(get_run(run_id))
        if "row" in query:
            return Response(page(ledgers.history(ledger, query["row"]), query, dict))
        step = whole_number(query, "step", 0, 0, MAX_STEP)
        return Response(page(ledgers.ranked(ledger, step), query, dict))
