"""Addresses of this room. What comes first wins: `build` is no key, a key holds a hyphen."""

from django.urls import path

from datasets_app.api import comparison as comparison_api
from datasets_app.api import datasets as datasets_api
from datasets_app.api import evalsets as evalsets_api
from datasets_app.api import exports as exports_api
from datasets_app.api import rows as rows_api
from datasets_app.views import builds, comparison, datasets, evalsets, exports, leaks, rows

urlpatterns = [
    path("datasets/", datasets.dataset_list, name="dataset_list"),
    path("datasets/build/", builds.dataset_build, name="dataset_build"),
    path("datasets/build/preview/", builds.dataset_preview, name="dataset_preview"),
    path("datasets/compare/", comparison.dataset_compare, name="dataset_compare"),
    path("datasets/<str:key>/", datasets.dataset_detail, name="dataset_detail"),
    path("datasets/<str:key>/leaks/<int:number>/", leaks.dataset_leak, name="dataset_leak"),
    path("datasets/<str:key>/cancel/", datasets.dataset_cancel, name="dataset_cancel"),
    path("datasets/<str:key>/export/", exports.dataset_export, name="dataset_export"),
    path("datasets/<str:key>/evalset/", evalsets.dataset_evalset, name="dataset_evalset"),
    path("datasets/<str:key>/manifest/", datasets.dataset_manifest, name="dataset_manifest"),
    path("datasets/<str:key>/restore/", datasets.dataset_restore, name="dataset_restore"),
    path("datasets/<str:key>/rows/", rows.dataset_rows, name="dataset_rows"),
    path("datasets/<str:key>/rows/<int:position>/", rows.dataset_row, name="dataset_row"),
    path("datasets/<str:key>/rows/<int:position>/tokens/", rows.dataset_row_tokens, name="dataset_row_tokens"),
    path("datasets/<str:key>/rows/<uuid:trace_id>/", rows.dataset_row_of_trace, name="dataset_row_of_trace"),
    path("traces/<uuid:trace_id>/datasets/", datasets.trace_datasets, name="trace_datasets"),
    path("evalsets/", evalsets.evalset_list, name="evalset_list"),
    path("evalsets/import/", evalsets.evalset_import, name="evalset_import"),
    path("evalsets/shipped/", evalsets.evalset_shipped, name="evalset_shipped"),
    path("evalsets/generate/", evalsets.evalset_generate, name="evalset_generate"),
    path("evalsets/compare/", evalsets.evalset_compare, name="evalset_compare"),
    path("evalsets/<uuid:evalset_id>/", evalsets.evalset_detail, name="evalset_detail"),
    path("evalsets/<uuid:evalset_id>/leaks/", evalsets.evalset_leaks, name="evalset_leaks"),
    path("evalsets/<uuid:evalset_id>/items.jsonl", evalsets.evalset_items, name="evalset_items"),
    path("api/datasets", datasets_api.DatasetList.as_view(), name="api_datasets"),
    path("api/datasets/build", datasets_api.DatasetBuild.as_view(), name="api_dataset_build"),
    path("api/datasets/compare", comparison_api.DatasetsCompare.as_view(), name="api_datasets_compare"),
    path("api/datasets/<str:key>", datasets_api.DatasetDetail.as_view(), name="api_dataset"),
    path("api/datasets/<str:key>/manifest.json", datasets_api.DatasetManifest.as_view(), name="api_dataset_manifest"),
    path("api/datasets/<str:key>/export.jsonl", exports_api.DatasetExport.as_view(), name="api_dataset_export"),
    path("api/datasets/<str:key>/export.zip", exports_api.DatasetArchive.as_view(), name="api_dataset_archive"),
    path("api/datasets/<str:key>/rows", rows_api.DatasetRows.as_view(), name="api_dataset_rows"),
    path("api/datasets/<str:key>/rows/<int:position>", rows_api.DatasetRow.as_view(), name="api_dataset_row"),
    path(
        "api/datasets/<str:key>/rows/<int:position>/tokens",
        rows_api.DatasetRowTokens.as_view(),
        name="api_dataset_row_tokens",
    ),
    path("api/evalsets", evalsets_api.EvalsetList.as_view(), name="api_evalsets"),
    path("api/evalsets/compare", evalsets_api.EvalsetsCompare.as_view(), name="api_evalsets_compare"),
    path("api/evalsets/<uuid:evalset_id>", evalsets_api.EvalsetDetail.as_view(), name="api_evalset"),
    path("api/evalsets/<uuid:evalset_id>/items.jsonl", evalsets_api.EvalsetItems.as_view(), name="api_evalset_items"),
]
