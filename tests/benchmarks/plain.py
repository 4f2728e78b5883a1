"""What we are compared with: batch endpoints as one writes them with Django REST framework's own means.

One fills our own table, so that a trace can be found and filtered afterwards as ours can. The other fills a bare
table with one index: it does much less.
"""

import uuid

from django.db import models, transaction
from django.utils import timezone
from rest_framework import serializers
from rest_framework.parsers import JSONParser
from rest_framework.response import Response
from rest_framework.views import APIView

from traces.models import Tag, Trace
from traces.rows import COLUMNS, row_of
from tunixrt.lib.ids import uuid7


class PlainTrace(models.Model):
    """The same trace as columns and a JSON field, with the index that every list needs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    trace_version = models.CharField(max_length=64)
    prompt = models.TextField()
    final_answer = models.TextField()
    steps = models.JSONField()
    meta = models.JSONField(null=True)

    class Meta:
        app_label = "benchmarks"

    def __str__(self) -> str:
        return self.prompt


class StepSerializer(serializers.Serializer):
    i = serializers.IntegerField(min_value=0)
    type = serializers.CharField(max_length=64)
    content = serializers.CharField(max_length=20_000)


class PlainSerializer(serializers.ModelSerializer):
    steps = StepSerializer(many=True)

    class Meta:
        model = PlainTrace
        fields = ("id", "created_at", "trace_version", "prompt", "final_answer", "steps", "meta")
        read_only_fields = ("id", "created_at")


class PlainBatch(APIView):
    parser_classes = [JSONParser]

    def post(self, request) -> Response:
        serializer = PlainSerializer(data=request.data, many=True)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            made = self.store(serializer.validated_data)
        rows = [{"id": row.id, "created_at": row.created_at, "trace_version": row.trace_version} for row in made]
        return Response({"created_count": len(rows), "traces": rows}, status=201)

    def store(self, payloads: list[dict]) -> list:
        """In the bare table."""
        return PlainTrace.objects.bulk_create([PlainTrace(**payload) for payload in payloads])


class SameBatch(PlainBatch):
    def store(self, payloads: list[dict]) -> list:
        """In our own table, through its model."""
        now = timezone.now()
        rows = [dict(zip(COLUMNS, row_of(payload, id=uuid7(), created_at=now), strict=True)) for payload in payloads]
        traces = [Trace(**row | {"meta": payload["meta"]}) for row, payload in zip(rows, payloads, strict=True)]
        tags = [Tag(trace=trace, name=name) for trace in traces for name in trace.meta["tags"]]
        made = Trace.objects.bulk_create(traces)
        Tag.objects.bulk_create(tags)
        return made
