"""Datasets and evalsets in the admin: to look at. A frozen thing is not edited."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html

from datasets_app import services
from datasets_app.models import Dataset, EvalSet
from tunixrt.lib.admin import ReadOnly
from tunixrt.lib.errors import Refused


@admin.register(Dataset)
class DatasetAdmin(ReadOnly, admin.ModelAdmin):
    list_display = (
        "key",
        "status",
        "trace_count",
        "leak_count",
        "recipe",
        "content_sha256",
        "created_by",
        "created_at",
        "page",
    )
    list_filter = ("status", "recipe")
    search_fields = ("key", "content_sha256")
    list_select_related = ("created_by",)
    actions = ("make_evalset", "cancel", "export")

    @admin.display(description="page")
    def page(self, dataset: Dataset) -> str:
        return format_html('<a href="{}">open</a>', reverse("dataset_detail", args=[dataset.key]))

    @admin.action(description="Make the evalset that runs are examined on")
    def make_evalset(self, request: HttpRequest, datasets: QuerySet[Dataset]) -> None:
        for dataset in datasets:
            try:
                evalset = services.evalset_for(dataset, request.user)
                self.message_user(request, f"Evalset {evalset}", messages.SUCCESS)
            except Refused as refused:
                self.message_user(request, refused.detail, messages.ERROR)

    @admin.action(description="Cancel the build")
    def cancel(self, request: HttpRequest, datasets: QuerySet[Dataset]) -> None:
        for dataset in datasets:
            try:
                services.cancel_build(dataset=dataset)
            except Refused as refused:
                self.message_user(request, refused.detail, messages.ERROR)

    @admin.action(description="Download the traces of one dataset")
    def export(self, request: HttpRequest, datasets: QuerySet[Dataset]):
        if datasets.count() != 1:
            self.message_user(request, "Choose one dataset to download.", messages.ERROR)
            return None
        return redirect("dataset_export", datasets.get().key)


@admin.register(EvalSet)
class EvalSetAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("name", "item_count", "origin", "dataset", "sha256", "created_by", "created_at", "page")
    list_filter = ("origin",)
    search_fields = ("name", "sha256")
    list_select_related = ("dataset", "created_by")

    @admin.display(description="page")
    def page(self, evalset: EvalSet) -> str:
        return format_html('<a href="{}">open</a>', reverse("evalset_detail", args=[evalset.pk]))
