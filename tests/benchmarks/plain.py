"""What we are compared with: a batch endpoint as one writes it with Django REST framework's own means."""

import uuid

from django.db import models, transaction
from django.utils import timezone
from rest_framework import serializers
from rest_framework.parsers import JSONParser
from rest_framework.response import Response
from rest_framework.views import APIView


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
            made = PlainTrace.objects.bulk_create([PlainTrace(**row) for row in serializer.validated_data])
        rows = [{"id": row.id, "created_at": row.created_at, "trace_version": row.trace_version} for row in made]
        return Response({"created_count": len(rows), "traces": rows}, status=201)
