"""What people say of steps, over HTTP."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from traces import schemas, services
from traces.models import Trace
from training.errors import Fault, Invalid
from tunixrt.lib.api import body_of, read_object


class StepReview(APIView):
    @extend_schema(request=schemas.ReviewRequest, responses=schemas.Review)
    def put(self, request: Request, trace_id: UUID, i: int) -> Response:
        """Rates the step with this `i`, or changes your rating of it.

        A mistake ends your review of the trace: your ratings of later steps are dropped, and a later step is refused
        (409) until the mistake is changed or taken back.
        """
        body = read_object(body_of(request), {"rating", "note"})
        if "rating" not in body:
            raise Invalid(Fault(("rating",), "is missing; give -1 (mistake), 0 (neutral) or 1 (good)", "missing_field"))
        review = services.review_step(trace=_trace(trace_id), step=i, by=request.user, **body)
        return Response(review.to_dict())

    @extend_schema(responses={204: None})
    def delete(self, request: Request, trace_id: UUID, i: int) -> Response:
        """Takes your rating of the step back."""
        services.take_back_review(trace=_trace(trace_id), step=i, by=request.user)
        return Response(status=204)


def _trace(trace_id: UUID) -> Trace:
    return get_object_or_404(Trace.objects.visible(), pk=trace_id)
