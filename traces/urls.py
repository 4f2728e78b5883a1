"""Addresses of this room."""

from django.urls import path

from traces.api import imports as imports_api
from traces.api import reviews as reviews_api
from traces.api import scores as scores_api
from traces.api import traces as traces_api
from traces.api import ungar as ungar_api
from traces.views import imports, reviews, scores, traces, ungar

urlpatterns = [
    path("traces/", traces.trace_list, name="trace_list"),
    path("traces/export.jsonl", traces.trace_export, name="trace_export"),
    path("traces/bulk/", traces.trace_bulk, name="trace_bulk"),
    path("traces/compare/", traces.trace_compare, name="trace_compare"),
    path("traces/scores/", scores.score_list, name="score_list"),
    path("traces/scores/<str:name>/", scores.score_detail, name="score_detail"),
    path("traces/scorings/<uuid:scoring_id>/", scores.scoring_detail, name="scoring_detail"),
    path("traces/scorings/<uuid:scoring_id>/cancel/", scores.scoring_cancel, name="scoring_cancel"),
    path("traces/review/", reviews.review, name="review"),
    path("traces/review/disagreements/", reviews.review_disagreements, name="review_disagreements"),
    path("traces/import/", imports.trace_import, name="trace_import"),
    path("traces/imports/", imports.import_list, name="import_list"),
    path("traces/imports/<uuid:import_id>/", imports.import_detail, name="import_detail"),
    path("traces/imports/<uuid:import_id>/rejected.jsonl", imports.import_rejected, name="import_rejected"),
    path("traces/imports/<uuid:import_id>/start/", imports.import_start, name="import_start"),
    path("traces/imports/<uuid:import_id>/discard/", imports.import_discard, name="import_discard"),
    path("traces/imports/<uuid:import_id>/cancel/", imports.import_cancel, name="import_cancel"),
    path("traces/imports/<uuid:import_id>/undo/", imports.import_undo, name="import_undo"),
    path("traces/twins/find/", imports.twins_find, name="twins_find"),
    path("traces/<uuid:trace_id>/", traces.trace_detail, name="trace_detail"),
    path("traces/<uuid:trace_id>/delete/", traces.trace_delete, name="trace_delete"),
    path("traces/<uuid:trace_id>/score/", traces.trace_score, name="trace_score"),
    path("traces/ungar/", ungar.ungar, name="ungar"),
    path("api/traces", traces_api.Traces.as_view(), name="api_traces"),
    path("api/traces/batch", traces_api.TraceBatch.as_view(), name="api_trace_batch"),
    path("api/traces/compare", traces_api.TraceCompare.as_view(), name="api_trace_compare"),
    path("api/traces/score", scores_api.TraceScoring.as_view(), name="api_trace_scoring"),
    path("api/traces/scorings/<uuid:scoring_id>", scores_api.ScoringDetail.as_view(), name="api_scoring_detail"),
    path("api/traces/import", imports_api.TraceImports.as_view(), name="api_trace_import"),
    path("api/traces/imports/<uuid:import_id>", imports_api.ImportDetail.as_view(), name="api_import_detail"),
    path("api/traces/imports/<uuid:import_id>/undo", imports_api.ImportUndo.as_view(), name="api_import_undo"),
    path("api/traces/<uuid:trace_id>", traces_api.TraceDetail.as_view(), name="api_trace_detail"),
    path("api/traces/<uuid:trace_id>/score", traces_api.TraceScore.as_view(), name="api_trace_score"),
    path("api/traces/<uuid:trace_id>/steps/<int:i>/review", reviews_api.StepReview.as_view(), name="api_step_review"),
    path("api/ungar/status", ungar_api.UngarStatus.as_view(), name="api_ungar_status"),
    path("api/ungar/high-card-duel/generate", ungar_api.UngarGenerate.as_view(), name="api_ungar_generate"),
    path("api/ungar/high-card-duel/export.jsonl", ungar_api.UngarExport.as_view(), name="api_ungar_export"),
]
