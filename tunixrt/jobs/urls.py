"""Addresses of this room."""

from django.urls import path

from tunixrt.jobs import api, views

urlpatterns = [
    path("workers/", views.worker_list, name="worker_list"),
    path("workers/<str:name>/drain/", views.worker_drain, name="worker_drain"),
    path("api/workers", api.Workers.as_view(), name="api_workers"),
    path("api/workers/<str:name>/drain", api.WorkerDrain.as_view(), name="api_worker_drain"),
]
