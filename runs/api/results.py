"""What runs answered and how they compare, over HTTP."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs import noise, schemas, services, verdicts
from runs.answers import FILTERS, answers_of, stages_of
from runs.api.asked import choice, get_run
from runs.models import Prediction
from runs.timelapse import steps
from tunixrt.lib.api import only_known
from tunixrt.lib.errors import Conflict
from tunixrt.lib.pagination import WINDOW, page
from tunixrt.lib.schemas import WINDOW_PARAMETERS, listing


class RunEvaluation(APIView):
    @extend_schema(responses=schemas.Verdict)
    def get(self, request: Request, run_id: UUID) -> Response:
        """The present examination, before and after, how the two differ, what that decides, and where; with a
        time-lapse, each checkpoint."""
        run = get_run(run_id)
        found = verdicts.before_and_after(run)
        if found is None:
            raise Conflict(f"{run} has not been examined: it is {run.state}.", code="not_examined")
        floor = noise.floor_of(found.after)
        return Response(
            {
                "evalset": run.evalset_id,
                "before": found.before.to_dict(),
                "after": found.after.to_dict(),
                "comparison": found.comparison.to_dict(),
                **found.decided.to_dict(),
                "noise_floor": floor.to_dict() if floor else None,
                **steps(run),
            }
        )


class RunPredictions(APIView):
    @extend_schema(
        parameters=[*WINDOW_PARAMETERS, schemas.STAGE, *schemas.ANSWER_FILTERS], responses=listing(schemas.Prediction)
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        """What a run answered, in the evalset's order; after its training, if nothing else is asked for."""
        query = request.query_params
        only_known(query, WINDOW | FILTERS | {"stage"})
        stages = stages_of(get_run(run_id))
        stage = choice(query, "stage", list(dict.fromkeys(["before", "after", *stages]))) or "after"
        answers = answers_of(stages, stage)
        rows = answers.rows(query) if answers else Prediction.objects.none()
        return Response(page(rows, query, Prediction.to_dict))


class RunsCompare(APIView):
    @extend_schema(parameters=schemas.TWO_RUNS, responses=schemas.Comparison)
    def get(self, request: Request) -> Response:
        """Two runs paired on the same items."""
        only_known(request.query_params, {"base", "other"})
        base, other = (services.find_run(request.query_params.get(name), name) for name in ("base", "other"))
        found = services.compare_runs(base=base, other=other)
        changed = [{"id": item_id, "won": won} for item_id, won in found.changed()]
        differs = [{"path": path, "base": mine, "other": theirs} for path, mine, theirs in found.config]
        runs = {"base": base.to_dict(), "other": other.to_dict()}
        return Response(
            {
                **runs,
                "config": differs,
                "results": found.results.to_dict(),
                "changed": changed,
                **found.decided.to_dict(),
            }
        )
