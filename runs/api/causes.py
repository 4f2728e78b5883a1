"""From an item to its cause and back, over HTTP. `item_id` is the `id` of a row of the predictions."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from datasets_app.models import EvalItem
from runs import causes, schemas, services
from runs.api.asked import choice, flag, get_run
from runs.models import Evaluation, Prediction, Run
from tunixrt.lib.api import body_of, only_known, read_object
from tunixrt.lib.errors import Conflict
from tunixrt.lib.pagination import whole_number

PROMOTED = {"steps", "final_answer", "confirmed"}
MAX_STEP = 2**53


class PredictionNearest(APIView):
    @extend_schema(parameters=[schemas.LIMIT], responses=schemas.Causes)
    def get(self, request: Request, run_id: UUID, item_id: str) -> Response:
        """The rows of the run's train split most like an item, with what the ledger says of each; the likest first."""
        only_known(request.query_params, {"limit"})
        most = whole_number(request.query_params, "limit", causes.MOST, 1, causes.AT_MOST)
        run = get_run(run_id)
        found = causes.nearest(run, get_item(run, item_id), most)
        return Response({"data": [cause.to_dict() for cause in found.rows], "no_ledger": found.no_ledger or None})


class PredictionPromote(APIView):
    @extend_schema(
        parameters=[schemas.choice("stage", Evaluation.Stage.values), schemas.CHECKPOINT_STEP],
        request=schemas.Promote,
        responses={201: schemas.Promoted, 200: schemas.Promoted},
    )
    def post(self, request: Request, run_id: UUID, item_id: str) -> Response:
        """Makes a trace of an answer; steps or answer that are not given stay the model's. 200: promoted before."""
        body = dict(read_object(body_of(request), PROMOTED))
        confirmed = flag(body, "confirmed")
        run = get_run(run_id)
        prediction = get_prediction(request, run, get_item(run, item_id))
        made = services.promote_prediction(prediction=prediction, **body, confirmed=confirmed, by=request.user)
        answer = {
            "trace_id": made.trace.pk,
            "new": made.is_new,
            **{name: made.trace.payload["meta"][name] for name in ("as_generated", "as_expected")},
            "split": services.split_of_item(prediction.item),
        }
        return Response(answer, status=201 if made.is_new else 200)


def get_item(run: Run, item_id: str) -> EvalItem:
    return get_object_or_404(run.evalset.items, item_id=item_id.replace("\0", "\ufffd"))


def get_prediction(request: Request, run: Run, item: EvalItem) -> Prediction:
    """The answer that the query asks for, by default the one after training. Raises Conflict when there is none."""
    query = request.query_params
    only_known(query, {"stage", "step"})
    stage = choice(query, "stage", Evaluation.Stage.values) or Evaluation.Stage.AFTER
    answers = Prediction.objects.answers_to(run, item).filter(evaluation__stage=stage)
    if "step" in query:
        answers = answers.filter(evaluation__checkpoint_step=whole_number(query, "step", 0, 0, MAX_STEP))
    prediction = answers.last()
    if prediction is None:
        raise Conflict(f"{run} has no such answer to this item: it is {run.state}.", code="not_examined")
    return prediction
