"""Addresses of this room."""

from django.urls import path

from traces import api, ungar_views, views

urlpatterns = [
    path("traces/", views.trace_list, name="trace_list"),
    path("traces/compare/", views.trace_compare, name="trace_compare"),
    path("traces/import/", views.trace_import, name="trace_import"),
    path("traces/imports/", views.import_list, name="import_list"),
    path("traces/imports/<uuid:import_id>/", views.import_detail, name="import_detail"),
    path("traces/imports/<uuid:import_id>/rejected.jsonl", views.import_rejected, name="import_rejected"),
    path("traces/imports/<uuid:import_id>/cancel/", views.import_cancel, name="import_cancel"),
    path("traces/<uuid:trace_id>/", views.trace_detail, name="trace_detail"),
    path("traces/<uuid:trace_id>/delete/", views.trace_delete, name="trace_delete"),
    path("traces/<uuid:trace_id>/score/", views.trace_score, name="trace_score"),
    path("traces/ungar/", ungar_views.ungar, name="ungar"),
    path("api/traces", api.Traces.as_view(), name="api_traces"),
    path("api/traces/batch", api.TraceBatch.as_view(), name="api_trace_batch"),
    path("api/traces/compare", api.TraceCompare.as_view(), name="api_trace_compare"),
    path("api/traces/import", api.TraceImports.as_view(), name="api_trace_import"),
    path("api/traces/imports/<uuid:import_id>", api.ImportDetail.as_view(), name="api_import_detail"),
    path("api/traces/<uuid:trace_id>", api.TraceDetail.as_view(), name="api_trace_detail"),
    path("api/traces/<uuid:trace_id>/score", api.TraceScore.as_view(), name="api_trace_score"),
    path("api/ungar/status", api.UngarStatus.as_view(), name="api_ungar_status"),
    path("api/ungar/high-card-duel/generate", api.UngarGenerate.as_view(), name="api_ungar_generate"),
    path("api/ungar/high-card-duel/export.jsonl", api.UngarExport.as_view(), name="api_ungar_export"),
]
