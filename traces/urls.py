"""Addresses of this room."""

from django.urls import path

from traces import api, review_api, ungar_views
from traces.views import imports, review, traces

urlpatterns = [
    path("traces/", traces.trace_list, name="trace_list"),
    path("traces/export.jsonl", traces.trace_export, name="trace_export"),
    path("traces/bulk/", traces.trace_bulk, name="trace_bulk"),
    path("traces/compare/", traces.trace_compare, name="trace_compare"),
    path("traces/review/", review.review, name="review"),
    path("traces/review/disagreements/", review.review_disagreements, name="review_disagreements"),
    path("traces/import/", imports.trace_import, name="trace_import"),
    path("traces/imports/", imports.import_list, name="import_list"),
    path("traces/imports/<uuid:import_id>/", imports.import_detail, name="import_detail"),
    path("traces/imports/<uuid:import_id>/rejected.jsonl", imports.import_rejected, name="import_rejected"),
    path("traces/imports/<uuid:import_id>/cancel/", imports.import_cancel, name="import_cancel"),
    path("traces/<uuid:trace_id>/", traces.trace_detail, name="trace_detail"),
    path("traces/<uuid:trace_id>/delete/", traces.trace_delete, name="trace_delete"),
    path("traces/<uuid:trace_id>/score/", traces.trace_score, name="trace_score"),
    path("traces/ungar/", ungar_views.ungar, name="ungar"),
    path("api/traces", api.Traces.as_view(), name="api_traces"),
    path("api/traces/batch", api.TraceBatch.as_view(), name="api_trace_batch"),
    path("api/traces/compare", api.TraceCompare.as_view(), name="api_trace_compare"),
    path("api/traces/import", api.TraceImports.as_view(), name="api_trace_import"),
    path("api/traces/imports/<uuid:import_id>", api.ImportDetail.as_view(), name="api_import_detail"),
    path("api/traces/<uuid:trace_id>", api.TraceDetail.as_view(), name="api_trace_detail"),
    path("api/traces/<uuid:trace_id>/score", api.TraceScore.as_view(), name="api_trace_score"),
    path(
        "api/traces/<uuid:trace_id>/steps/<int:step>/review", review_api.StepReview.as_view(), name="api_step_review"
    ),
    path("api/ungar/status", api.UngarStatus.as_view(), name="api_ungar_status"),
    path("api/ungar/high-card-duel/generate", api.UngarGenerate.as_view(), name="api_ungar_generate"),
    path("api/ungar/high-card-duel/export.jsonl", api.UngarExport.as_view(), name="api_ungar_export"),
]
