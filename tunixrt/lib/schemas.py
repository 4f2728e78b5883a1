"""Pieces of the OpenAPI description that every room uses."""

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers as s

WINDOW_PARAMETERS = [OpenApiParameter("limit", int), OpenApiParameter("offset", int)]


class Pagination(s.Serializer):
    limit = s.IntegerField()
    offset = s.IntegerField()
    next_offset = s.IntegerField(allow_null=True)


def listing(row: type[s.Serializer]) -> s.Serializer:
    """One window of a list."""
    return inline_serializer(f"{row.__name__}List", {"data": row(many=True), "pagination": Pagination()})
