"""tunixrt's own addresses, and the plain endpoint beside them."""

from django.urls import path

from tests.benchmarks.plain import PlainBatch
from tunixrt.urls import urlpatterns as ours

urlpatterns = [path("api/plain/batch", PlainBatch.as_view()), *ours]
