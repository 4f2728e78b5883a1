"""Addresses of this room."""

from django.urls import path, register_converter
from django.urls.converters import PathConverter

from runs import services
from runs.api import causes as causes_api
from runs.api import exports as exports_api
from runs.api import files as files_api
from runs.api import history as history_api
from runs.api import items as items_api
from runs.api import leaderboard as leaderboard_api
from runs.api import ledger as ledger_api
from runs.api import results as results_api
from runs.api import runs as runs_api
from runs.views import (
    answers,
    causes,
    comparison,
    datasets,
    evalsets,
    exports,
    history,
    items,
    leaderboard,
    ledger,
    runs,
    timelapse,
)


class TextConverter(PathConverter):
    """Any text at all, as the id of an item may be: slashes and ends of lines too."""

    regex = "(?s:.+)"


register_converter(TextConverter, "text")


def action(name: str, service) -> list:
    """What is done with a run, for pages and for the API."""
    return [
        path(f"runs/<uuid:run_id>/{name}/", runs.act, {"service": service}, name=f"run_{name}"),
        path(f"api/runs/<uuid:run_id>/{name}", runs_api.RunAction.as_view(service=service), name=f"api_run_{name}"),
    ]


def removal(name: str, service):
    """A page that shows first what would go."""
    kwargs = {"service": service, "removal": name}
    return path(f"runs/<uuid:run_id>/{name}/", runs.remove, kwargs, name=f"run_{name}")


urlpatterns = [
    path("runs/", runs.run_list, name="run_list"),
    path("runs/launch/", runs.launch, name="run_launch"),
    path("runs/compare/", comparison.compare, name="run_compare"),
    path("runs/compare/<int:item_id>/", items.compare_item, name="run_compare_item"),
    path("runs/<uuid:run_id>/", runs.detail, name="run_detail"),
    path("runs/<uuid:run_id>/live/", runs.live, name="run_live"),
    path("runs/<uuid:run_id>/export/", exports.run_export, name="run_export"),
    path("runs/<uuid:run_id>/describe/", runs.describe, name="run_describe"),
    path("runs/<uuid:run_id>/predictions/", answers.predictions, name="run_predictions"),
    path("runs/<uuid:run_id>/predictions/<int:item_id>/", answers.prediction, name="prediction_detail"),
    path("runs/<uuid:run_id>/predictions/<int:item_id>/nearest/", causes.nearest, name="prediction_nearest"),
    path("runs/<uuid:run_id>/predictions/<int:item_id>/promote/", causes.promote, name="prediction_promote"),
    path("runs/<uuid:run_id>/items/", timelapse.changed_items, name="changed_items"),
    path("runs/<uuid:run_id>/items/<int:item_id>/", timelapse.item_over_time, name="item_over_time"),
    path("runs/<uuid:run_id>/ledger/", ledger.ledger, name="run_ledger"),
    path("runs/<uuid:run_id>/artifacts/<path:name>", runs.artifact, name="run_artifact"),
    path("evalsets/<uuid:evalset_id>/history/", history.history, name="evalset_history"),
    path("leaderboard/", leaderboard.leaderboard, name="leaderboard"),
    path("traces/<uuid:trace_id>/losses/", ledger.trace_losses, name="trace_losses"),
    path("evalsets/<uuid:evalset_id>/runs/", evalsets.evalset_runs, name="evalset_runs"),
    path("datasets/<str:key>/plan/", datasets.dataset_plan, name="dataset_plan"),
    path("datasets/<str:key>/runs/", datasets.dataset_runs, name="dataset_runs"),
    path("api/runs", runs_api.Runs.as_view(), name="api_runs"),
    path("api/runs/compare", results_api.RunsCompare.as_view(), name="api_runs_compare"),
    path("api/runs/compare/items", items_api.ComparedItems.as_view(), name="api_runs_compare_items"),
    path("api/runs/compare/item", items_api.ComparedItem.as_view(), name="api_runs_compare_item"),
    path("api/runs/<uuid:run_id>", runs_api.RunDetail.as_view(), name="api_run"),
    path("api/runs/<uuid:run_id>/metrics", files_api.RunMetrics.as_view(), name="api_run_metrics"),
    path("api/runs/<uuid:run_id>/logs", files_api.RunLogs.as_view(), name="api_run_logs"),
    path("api/runs/<uuid:run_id>/events", files_api.RunEvents.as_view(), name="api_run_events"),
    path("api/runs/<uuid:run_id>/artifacts", files_api.RunArtifacts.as_view(), name="api_run_artifacts"),
    path("api/runs/<uuid:run_id>/artifacts/<path:path>", files_api.RunArtifact.as_view(), name="api_run_artifact"),
    path("api/runs/<uuid:run_id>/evaluation", results_api.RunEvaluation.as_view(), name="api_run_evaluation"),
    path("api/runs/<uuid:run_id>/evaluation/export", exports_api.RunExport.as_view(), name="api_run_export"),
    path("api/runs/<uuid:run_id>/ledger", ledger_api.RunLedger.as_view(), name="api_run_ledger"),
    path("api/runs/<uuid:run_id>/predictions", results_api.RunPredictions.as_view(), name="api_run_predictions"),
    path(
        "api/runs/<uuid:run_id>/predictions/<text:item_id>/nearest",
        causes_api.PredictionNearest.as_view(),
        name="api_prediction_nearest",
    ),
    path(
        "api/runs/<uuid:run_id>/predictions/<text:item_id>/promote",
        causes_api.PredictionPromote.as_view(),
        name="api_prediction_promote",
    ),
    path("api/runs/<uuid:run_id>/clone", runs_api.RunClone.as_view(), name="api_run_clone"),
    path("api/runs/<uuid:run_id>/removal", runs_api.RunRemoval.as_view(), name="api_run_removal"),
    path("api/runs/<uuid:run_id>/gate", history_api.RunGate.as_view(), name="api_run_gate"),
    path("api/evalsets/<uuid:evalset_id>/history", history_api.EvalsetHistory.as_view(), name="api_evalset_history"),
    path("api/leaderboard", leaderboard_api.Leaderboard.as_view(), name="api_leaderboard"),
    *action("cancel", services.cancel_run),
    *action("retry", services.retry_run),
    *action("resume", services.resume_run),
    *action("evaluate", services.evaluate_run),
    *action("rescore", services.rescore_run),
    *action("replay", services.replay_run),
    *action("baseline", services.set_baseline),
    *action("archive", services.archive_run),
    *action("unarchive", services.unarchive_run),
    removal("purge", services.purge_run),
    removal("delete", services.delete_run),
    path("api/runs/<uuid:run_id>/purge", runs_api.RunAction.as_view(service=services.purge_run), name="api_run_purge"),
]
