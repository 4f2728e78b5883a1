"""tunixrt's own addresses, and the plain endpoints beside them."""

from django.urls import path

from tests.benchmarks.plain import PlainBatch, SameBatch
from tunixrt.urls import urlpatterns as ours

urlpatterns = [path("api/plain/batch", SameBatch.as_view()), path("api/bare/batch", PlainBatch.as_view()), *ours]
