"""Workers over HTTP."""

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers as s
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tunixrt.jobs import services
from tunixrt.lib.api import only_known


class WorkerJob(s.Serializer):
    kind = s.CharField()
    target = s.UUIDField(help_text="The run, import, … that it is done for.")
    percent = s.IntegerField(allow_null=True)
    started_at = s.DateTimeField(allow_null=True)


class Worker(s.Serializer):
    id = s.IntegerField()
    name = s.CharField(help_text="Host and process.")
    state = s.ChoiceField(["alive", "draining", "silent"])
    queue = s.CharField()
    device = s.CharField(help_text="The accelerators that it holds; empty on a CPU.")
    since = s.DateTimeField()
    seen_at = s.DateTimeField()
    job = WorkerJob(allow_null=True)


class Workers(APIView):
    @extend_schema(operation_id="workers_list", responses=inline_serializer("Workers", {"data": Worker(many=True)}))
    def get(self, request: Request) -> Response:
        """Workers and what they do now."""
        only_known(request.query_params, set())
        return Response({"data": [worker.to_dict() for worker in services.workers()]})


class WorkerDrain(APIView):
    @extend_schema(request=None, responses={202: Worker})
    def post(self, request: Request, name: str) -> Response:
        """Asks a worker to hand its work back at a checkpoint and to stop."""
        return Response(services.drain_worker(name=name, by=request.user).to_dict(), status=202)
