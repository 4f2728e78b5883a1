"""What two runs answered, item by item, over HTTP."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs import schemas, services
from runs.answers import FILTERS, Answers, outcome_counts
from runs.models import Prediction
from tunixrt.lib.api import only_known
from tunixrt.lib.pagination import WINDOW, page
from tunixrt.lib.schemas import WINDOW_PARAMETERS

RUNS = {"base", "other"}


class ComparedItems(APIView):
    @extend_schema(
        parameters=[*schemas.TWO_RUNS, *WINDOW_PARAMETERS, *schemas.ANSWER_FILTERS], responses=schemas.ComparedItems
    )
    def get(self, request: Request) -> Response:
        """The items that two runs were asked, what became of each, and how many became what among those that pass."""
        query = request.query_params
        only_known(query, RUNS | WINDOW | FILTERS)
        answers = _answers(query)
        found = page(answers.rows(query).defer("output", "judges"), query, lambda row: _compared(answers, row))
        return Response(found | {"counts": outcome_counts(answers.cells(query), query)})


class ComparedItem(APIView):
    @extend_schema(parameters=[*schemas.TWO_RUNS, schemas.text("id", required=True)], responses=schemas.ComparedItem)
    def get(self, request: Request) -> Response:
        """What two runs answered to one item, and what became of each step from the base to the other."""
        query = request.query_params
        only_known(query, RUNS | {"id"})
        answers = _answers(query)
        item = get_object_or_404(answers.shown.evalset.items, item_id=query.get("id", ""))
        found = services.compare_item(answers=answers, item=item)
        rows = {"base": found.base and found.base.to_dict(), "other": found.other and found.other.to_dict()}
        diff = found.diff and found.diff.to_dict()
        return Response({**item.to_dict(), "outcome": found.outcome, **rows, "diff": diff})


def _answers(query) -> Answers:
    base, other = (services.find_run(query.get(name), name) for name in ("base", "other"))
    return services.answers_beside(base=base, other=other)


def _compared(answers: Answers, row: Prediction) -> dict:
    return {
        **row.item.to_dict(),
        "outcome": answers.outcome(row.beside_correct, row.correct),
        "base": {"answer": row.beside_answer, "correct": row.beside_correct},
        "other": {"answer": row.answer, "correct": row.correct},
    }
