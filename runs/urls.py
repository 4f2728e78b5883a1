"""Addresses of this room."""

from django.urls import path

from runs import api, services, views


def action(name: str, service) -> list:
    """What is done with a run, for pages and for the API."""
    return [
        path(f"runs/<uuid:run_id>/{name}/", views.act, {"service": service}, name=f"run_{name}"),
        path(f"api/runs/<uuid:run_id>/{name}", api.RunAction.as_view(service=service), name=f"api_run_{name}"),
    ]


def removal(name: str, service):
    """A page that shows first what would go."""
    kwargs = {"service": service, "removal": name}
    return path(f"runs/<uuid:run_id>/{name}/", views.remove, kwargs, name=f"run_{name}")


urlpatterns = [
    path("runs/", views.run_list, name="run_list"),
    path("runs/launch/", views.launch, name="run_launch"),
    path("runs/compare/", views.compare, name="run_compare"),
    path("runs/<uuid:run_id>/", views.detail, name="run_detail"),
    path("runs/<uuid:run_id>/live/", views.live, name="run_live"),
    path("runs/<uuid:run_id>/describe/", views.describe, name="run_describe"),
    path("runs/<uuid:run_id>/predictions/", views.predictions, name="run_predictions"),
    path("runs/<uuid:run_id>/predictions/<int:item_id>/", views.prediction, name="prediction_detail"),
    path("runs/<uuid:run_id>/ledger/", views.ledger, name="run_ledger"),
    path("runs/<uuid:run_id>/artifacts/<path:name>", views.artifact, name="run_artifact"),
    path("leaderboard/", views.leaderboard, name="leaderboard"),
    path("traces/<uuid:trace_id>/losses/", views.trace_losses, name="trace_losses"),
    path("datasets/<str:key>/plan/", views.dataset_plan, name="dataset_plan"),
    path("datasets/<str:key>/runs/", views.dataset_runs, name="dataset_runs"),
    path("api/runs", api.Runs.as_view(), name="api_runs"),
    path("api/runs/compare", api.RunsCompare.as_view(), name="api_runs_compare"),
    path("api/runs/<uuid:run_id>", api.RunDetail.as_view(), name="api_run"),
    path("api/runs/<uuid:run_id>/metrics", api.RunMetrics.as_view(), name="api_run_metrics"),
    path("api/runs/<uuid:run_id>/logs", api.RunLogs.as_view(), name="api_run_logs"),
    path("api/runs/<uuid:run_id>/events", api.RunEvents.as_view(), name="api_run_events"),
    path("api/runs/<uuid:run_id>/artifacts", api.RunArtifacts.as_view(), name="api_run_artifacts"),
    path("api/runs/<uuid:run_id>/artifacts/<path:path>", api.RunArtifact.as_view(), name="api_run_artifact"),
    path("api/runs/<uuid:run_id>/evaluation", api.RunEvaluation.as_view(), name="api_run_evaluation"),
    path("api/runs/<uuid:run_id>/ledger", api.RunLedger.as_view(), name="api_run_ledger"),
    path("api/runs/<uuid:run_id>/predictions", api.RunPredictions.as_view(), name="api_run_predictions"),
    path("api/runs/<uuid:run_id>/clone", api.RunClone.as_view(), name="api_run_clone"),
    path("api/runs/<uuid:run_id>/removal", api.RunRemoval.as_view(), name="api_run_removal"),
    path("api/leaderboard", api.Leaderboard.as_view(), name="api_leaderboard"),
    *action("cancel", services.cancel_run),
    *action("retry", services.retry_run),
    *action("resume", services.resume_run),
    *action("evaluate", services.evaluate_run),
    *action("replay", services.replay_run),
    *action("archive", services.archive_run),
    *action("unarchive", services.unarchive_run),
    removal("purge", services.purge_run),
    removal("delete", services.delete_run),
    path("api/runs/<uuid:run_id>/purge", api.RunAction.as_view(service=services.purge_run), name="api_run_purge"),
]
