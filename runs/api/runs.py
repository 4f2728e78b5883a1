"""Runs over HTTP."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs import schemas, services
from runs.api.asked import flag, get_run
from runs.filters import CHOICES, FILTERS, filtered_runs
from runs.models import QUEUE, Run
from training.errors import Fault, Invalid
from tunixrt.jobs.models import Job
from tunixrt.jobs.services import once
from tunixrt.lib.api import body_of, only_known, read_object
from tunixrt.lib.pagination import WINDOW, page
from tunixrt.lib.schemas import WINDOW_PARAMETERS, listing

DESCRIBED = {"name", "notes", "tags"}
LAUNCH = {"dataset_key", "config", "config_name", "seed", "engine", "name", "evalset"}


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


class RunAction(APIView):
    """Something done with a run: answers the run that it concerns now, which may be a new one."""

    service: Any = None

    @extend_schema(request=None, responses={202: schemas.Run})
    def post(self, request: Request, run_id: UUID) -> Response:
        run = get_run(run_id)
        concerned = self.service(run=run, by=request.user) or run
        return Response(get_run(concerned.pk).to_dict(), status=202)


def without(body: dict, *names: str) -> dict:
    return {name: value for name, value in body.items() if name not in names}
