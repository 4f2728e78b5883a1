"""What is in a run's directory, over HTTP."""

from uuid import UUID

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs import schemas, series
from runs.api.asked import get_run
from runs.artifacts import download, list_artifacts, size_by_kind
from tunixrt.lib.api import only_known
from tunixrt.lib.pagination import whole_number

MAX_OFFSET = 2**53  # bytes into a file


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
        return download(get_run(run_id).directory, path)


def read_after(request: Request, run_id: UUID, name: str) -> series.Window:
    only_known(request.query_params, {"after"})
    after = whole_number(request.query_params, "after", 0, 0, MAX_OFFSET)
    return series.read_lines(get_run(run_id).directory / name, after)
