"""Runs over HTTP."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs import ledgers, schemas, series, services
from runs.artifacts import content_type, list_artifacts, open_artifact, size_by_kind
from runs.filters import CHOICES, FILTERS, filtered_runs
from runs.models import QUEUE, Evaluation, Prediction, Run
from training.errors import Fault, Invalid, echo
from tunixrt.jobs.models import Job
from tunixrt.jobs.services import once
from tunixrt.lib.api import body_of, only_known, read_object
from tunixrt.lib.errors import Conflict
from tunixrt.lib.pagination import WINDOW, page, whole_number
from tunixrt.lib.schemas import WINDOW_PARAMETERS, listing

DESCRIBED = {"name", "notes", "tags"}
LAUNCH = {"dataset_key", "config", "config_name", "seed", "engine", "name", "evalset"}
MAX_OFFSET = 2**53  # bytes into a file
MAX_STEP = 2**32 - 1


class Runs(APIView):
    @extend_schema(
        operation_id="runs_list",
        parameters=[
            *WINDOW_PARAMETERS,
            *(schemas.choice(name, values) for name, values in CHOICES.items()),
            *map(schemas.text, ("dataset_key", "tag", "q")),
        ],
        responses=listing(schemas.Run),
    )
    def get(self, request: Request) -> Response:
        """Runs, newest first; archived ones only when asked for. `q` is part of a name or an id."""
        query = request.query_params
        only_known(query, WINDOW | FILTERS)
        places = Job.objects.places(QUEUE)
        return Response(page(filtered_runs(query), query, lambda run: run.to_dict(places)))

    @extend_schema(
        request=schemas.Launch,
        parameters=[OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)],
        responses={201: schemas.Run, 200: schemas.Plan},
    )
    def post(self, request: Request) -> Response:
        """Launches a run. With `dry_run`, answers the checked plan and stores nothing."""
        body = dict(read_object(body_of(request), LAUNCH | {"dry_run"}))
        if "dataset_key" not in body:
            raise Invalid(Fault(("dataset_key",), "is missing; give the key of a frozen dataset", "missing_field"))
        if flag(body, "dry_run"):
            return Response(services.plan_run(**without(body, "name", "evalset")).to_dict())
        asked = dict(body)
        if body.get("evalset") is not None:
            body["evalset"] = services.find_evalset(body["evalset"])
        pk, new = once(
            user=request.user,
            key=request.headers.get("Idempotency-Key"),
            request=asked,
            create=lambda: services.launch_run(**body, by=request.user).pk,
        )
        return Response(get_run(pk).to_dict(), status=201 if new else 200)


class RunDetail(APIView):
    @extend_schema(responses=schemas.Run)
    def get(self, request: Request, run_id: UUID) -> Response:
        return Response(get_run(run_id).to_dict())

    @extend_schema(request=schemas.Description, responses=schemas.Run)
    def patch(self, request: Request, run_id: UUID) -> Response:
        """Changes the name, the notes or the tags; what is not given stays."""
        body = read_object(body_of(request), DESCRIBED)
        services.describe_run(run=get_run(run_id), **body, by=request.user)
        return Response(get_run(run_id).to_dict())

    @extend_schema(responses={204: None, 202: schemas.Run})
    def delete(self, request: Request, run_id: UUID) -> Response:
        """Removes a closed run with its files and answers; 202 with the run while a worker is still at it.

        `GET …/removal` tells before what goes.
        """
        left = services.delete_run(run=get_run(run_id), by=request.user)
        return Response(left.to_dict(), status=202) if left else Response(status=204)


class RunClone(APIView):
    @extend_schema(request=schemas.Clone, responses={202: schemas.Run})
    def post(self, request: Request, run_id: UUID) -> Response:
        """Launches a new run of the same config, data, seed, engine and items, but for what the body changes."""
        body = dict(read_object(request.data, LAUNCH))
        if body.get("evalset") is not None:
            body["evalset"] = services.find_evalset(body["evalset"])
        run = services.clone_run(run=get_run(run_id), **body, by=request.user)
        return Response(get_run(run.pk).to_dict(), status=202)


class RunRemoval(APIView):
    @extend_schema(responses=schemas.Removals)
    def get(self, request: Request, run_id: UUID) -> Response:
        """What a purge and a deletion would take, and which runs stand in their way. Changes nothing."""
        run = get_run(run_id)
        previews = (services.preview_removal(run=run, removal=removal) for removal in Run.Removal.values)
        return Response({"data": [preview.to_dict() for preview in previews]})


class RunMetrics(APIView):
    @extend_schema(parameters=[schemas.AFTER], responses=schemas.Points)
    def get(self, request: Request, run_id: UUID) -> Response:
        """The points of metrics.jsonl from byte `after` on; ask again with `next`."""
        lines = read_after(request, run_id, series.METRICS)
        return Response({"data": series.parse_points(lines.lines), "next": lines.next, "more": lines.more})


class RunLogs(APIView):
    @extend_schema(parameters=[schemas.AFTER], responses=schemas.Lines)
    def get(self, request: Request, run_id: UUID) -> Response:
        """The lines of train.log from byte `after` on; ask again with `next`."""
        lines = read_after(request, run_id, series.LOG)
        return Response({"data": lines.lines, "next": lines.next, "more": lines.more})


class RunEvents(APIView):
    @extend_schema(responses=schemas.Events)
    def get(self, request: Request, run_id: UUID) -> Response:
        """Who or what moved the run, when and why; oldest first."""
        events = get_run(run_id).events.select_related("created_by")
        return Response({"data": [event.to_dict() for event in events]})


class RunArtifacts(APIView):
    @extend_schema(responses=schemas.Artifacts)
    def get(self, request: Request, run_id: UUID) -> Response:
        """The first 2,000 files, and what those listed take by what they are for."""
        artifacts = list_artifacts(get_run(run_id).directory)
        rows = [{"path": artifact.path, "size": artifact.size} for artifact in artifacts]
        sizes = size_by_kind(artifacts)
        kinds = {kind: size._asdict() for kind, size in sizes.items()}
        return Response({"data": rows, "bytes": sum(size.bytes for size in sizes.values()), "kinds": kinds})


class RunArtifact(APIView):
    @extend_schema(
        operation_id="runs_artifact_download", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request, run_id: UUID, path: str) -> FileResponse:
        try:
            file = open_artifact(get_run(run_id).directory, path)
        except FileNotFoundError:
            raise Http404
        name = path.rpartition("/")[2]
        response = FileResponse(file, as_attachment=True, filename=name, content_type=content_type(path))
        response["Content-Security-Policy"] = "sandbox"
        return response


class RunAction(APIView):
    """Something done with a run: answers the run that it concerns now, which may be a new one."""

    service: Any = None

    @extend_schema(request=None, responses={202: schemas.Run})
    def post(self, request: Request, run_id: UUID) -> Response:
        run = get_run(run_id)
        concerned = self.service(run=run, by=request.user) or run
        return Response(get_run(concerned.pk).to_dict(), status=202)


class RunEvaluation(APIView):
    @extend_schema(responses=schemas.Verdict)
    def get(self, request: Request, run_id: UUID) -> Response:
        """The present examination, before and after, and how the two differ."""
        run = get_run(run_id)
        stages = {evaluation.stage: evaluation.to_dict() for evaluation in run.evaluations.current()}
        if not stages:
            raise Conflict(f"{run} has not been examined: it is {run.state}.", code="not_examined")
        names = ("won", "lost", "kept_right", "kept_wrong", "p_value", "difference")
        change = {name: run.metrics[name] for name in names} | {"interval": run.metrics["difference_interval"]}
        return Response({"evalset": run.evalset_id, **stages, "comparison": change})


class RunPredictions(APIView):
    @extend_schema(
        parameters=[
            *WINDOW_PARAMETERS,
            schemas.choice("stage", Evaluation.Stage.values),
            schemas.choice("correct", ["true", "false"]),
            schemas.text("category"),
        ],
        responses=listing(schemas.Prediction),
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        query = request.query_params
        only_known(query, WINDOW | {"stage", "correct", "category"})
        stage = choice(query, "stage", Evaluation.Stage.values) or Evaluation.Stage.AFTER
        rows: QuerySet = Prediction.objects.of_run(get_run(run_id), stage)
        if correct := choice(query, "correct", ["true", "false"]):
            rows = rows.filter(correct=correct == "true")
        if "category" in query:
            rows = rows.filter(item__category=query["category"])
        return Response(page(rows, query, Prediction.to_dict))


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


class RunsCompare(APIView):
    @extend_schema(
        parameters=[schemas.text("base", required=True), schemas.text("other", required=True)],
        responses=schemas.Comparison,
    )
    def get(self, request: Request) -> Response:
        """Two runs paired on the same items."""
        only_known(request.query_params, {"base", "other"})
        base, other = (services.find_run(request.query_params.get(name), name) for name in ("base", "other"))
        found = services.compare_runs(base=base, other=other)
        changed = [{"id": change.base["id"], "won": change.won} for change in found.results.changed]
        differs = [{"path": path, "base": mine, "other": theirs} for path, mine, theirs in found.config]
        runs = {"base": base.to_dict(), "other": other.to_dict()}
        return Response({**runs, "config": differs, "results": found.results.to_dict(), "changed": changed})


class Leaderboard(APIView):
    @extend_schema(parameters=[schemas.text("evalset", required=True)], responses=schemas.Standings)
    def get(self, request: Request) -> Response:
        """Completed runs on one evalset. Runs of the same rank are not told apart by their intervals."""
        only_known(request.query_params, {"evalset"})
        standings = services.leaderboard(evalset=services.find_evalset(request.query_params.get("evalset")))
        return Response({"data": [{"rank": standing.rank, **standing.run.to_dict()} for standing in standings]})


def get_run(run_id: UUID) -> Run:
    return get_object_or_404(Run.objects.with_dataset(), pk=run_id)


def read_after(request: Request, run_id: UUID, name: str) -> series.Window:
    only_known(request.query_params, {"after"})
    after = whole_number(request.query_params, "after", 0, 0, MAX_OFFSET)
    return series.read_lines(get_run(run_id).directory / name, after)


def choice(query, name: str, allowed: list[str]) -> str | None:
    """A query parameter that must be one of `allowed`, or None when it was not given."""
    value = query.get(name)
    if value is not None and value not in allowed:
        msg = f"must be one of {', '.join(allowed)}, not {echo(value)}"
        raise Invalid(Fault((name,), msg, "wrong_value"))
    return value


def flag(body: dict, name: str) -> bool:
    """Takes a flag out of a body; raises Invalid when it is neither true nor false."""
    value = body.pop(name, False)
    if type(value) is not bool:
        raise Invalid(Fault((name,), f"must be true or false, not {echo(value)}", "wrong_type"))
    return value


def without(body: dict, *names: str) -> dict:
    return {name: value for name, value in body.items() if name not in names}
