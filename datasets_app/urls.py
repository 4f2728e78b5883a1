"""Addresses of this room. What comes first wins: `build` is no key, a key holds a hyphen."""

from django.urls import path

from datasets_app import api, views

urlpatterns = [
    path("datasets/", views.dataset_list, name="dataset_list"),
    path("datasets/build/", views.dataset_build, name="dataset_build"),
    path("datasets/build/matches/", views.dataset_matches, name="dataset_matches"),
    path("datasets/<str:key>/", views.dataset_detail, name="dataset_detail"),
    path("datasets/<str:key>/cancel/", views.dataset_cancel, name="dataset_cancel"),
    path("datasets/<str:key>/export/", views.dataset_export, name="dataset_export"),
    path("datasets/<str:key>/evalset/", views.dataset_evalset, name="dataset_evalset"),
    path("datasets/<str:key>/manifest/", views.dataset_manifest, name="dataset_manifest"),
    path("traces/<uuid:trace_id>/datasets/", views.trace_datasets, name="trace_datasets"),
    path("evalsets/", views.evalset_list, name="evalset_list"),
    path("evalsets/import/", views.evalset_import, name="evalset_import"),
    path("evalsets/shipped/", views.evalset_shipped, name="evalset_shipped"),
    path("evalsets/<uuid:evalset_id>/", views.evalset_detail, name="evalset_detail"),
    path("api/datasets", api.DatasetList.as_view(), name="api_datasets"),
    path("api/datasets/build", api.DatasetBuild.as_view(), name="api_dataset_build"),
    path("api/datasets/<str:key>", api.DatasetDetail.as_view(), name="api_dataset"),
    path("api/datasets/<str:key>/manifest.json", api.DatasetManifest.as_view(), name="api_dataset_manifest"),
    path("api/datasets/<str:key>/export.jsonl", api.DatasetExport.as_view(), name="api_dataset_export"),
    path("api/evalsets", api.EvalsetList.as_view(), name="api_evalsets"),
    path("api/evalsets/<uuid:evalset_id>", api.EvalsetDetail.as_view(), name="api_evalset"),
]
