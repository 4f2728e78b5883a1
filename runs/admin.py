from collections.abc import Callable

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from runs import services
from runs.forms import LaunchForm
from runs.models import Baseline, Evaluation, Prediction, Run, RunEvent
from tunixrt.lib.admin import ReadOnly
from tunixrt.lib.errors import Refused


class EventInline(ReadOnly, admin.TabularInline):
    model = RunEvent
    fields = ("created_at", "from_status", "to_status", "reason", "created_by")


@admin.register(Run)
class RunAdmin(ReadOnly, admin.ModelAdmin):
    list_display = (
        "name",
        "status",
        "dataset",
        "recipe",
        "before",
        "after",
        "engine",
        "origin",
        "attempt",
        "created_at",
    )
    list_filter = ("status", "engine", "origin", ("archived_at", admin.EmptyFieldListFilter), "dataset")
    list_select_related = ("dataset",)
    search_fields = ("id", "name", "dataset__key")
    date_hierarchy = "created_at"
    inlines = (EventInline,)
    actions = (
        *("cancel", "retry", "resume", "replay", "clone", "evaluate", "rescore"),
        *("baseline", "archive", "unarchive", "purge", "delete"),
    )

    def has_add_permission(self, request, obj=None) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict | None = None) -> HttpResponse:
        """Launches a run on a dataset that exists, by the same service as the page."""
        form = LaunchForm(request.POST or None)
        if request.method == "POST" and (run := form.launch(by=request.user)):
            self.log_addition(request, run, "launched")
            messages.success(request, f"{run} is launched.")
            return redirect("admin:runs_run_change", run.pk)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": "Launch a run", "form": form}
        return TemplateResponse(request, "admin/runs/run/launch.html", context)

    @admin.display(description="recipe")
    def recipe(self, run: Run) -> str:
        return run.config["data"]["recipe"]

    @admin.display(description="right before")
    def before(self, run: Run) -> str:
        return percent(run.metrics.get("answer_correctness_before"))

    @admin.display(description="right after")
    def after(self, run: Run) -> str:
        return percent(run.metrics.get("answer_correctness"))

    @admin.action(description="Cancel", permissions=["view"])
    def cancel(self, request: HttpRequest, queryset) -> None:
        self.each(request, queryset, services.cancel_run, "cancelled")

    @admin.action(description="Retry", permissions=["add"])
    def retry(self, request: HttpRequest, queryset) -> None:
        self.each(request, queryset, services.retry_run, "retried")

    @admin.action(description="Resume", permissions=["add"])
    def resume(self, request: HttpRequest, queryset) -> None:
        self.each(request, queryset, services.resume_run, "resumed")

    @admin.action(description="Replay", permissions=["add"])
    def replay(self, request: HttpRequest, queryset) -> None:
        self.each(request, queryset, services.replay_run, "replayed")

    @admin.action(description="Clone", permissions=["add"])
    def clone(self, request: HttpRequest, queryset) -> None:
        self.each(request, queryset, services.clone_run, "cloned")

    @admin.action(description="Examine again", permissions=["add"])
    def evaluate(self, request: HttpRequest, queryset) -> None:
        self.each(request, queryset, services.evaluate_run, "examined again")

    @admin.action(description="Make it the baseline of its evalset", permissions=["add"])
    def baseline(self, request: HttpRequest, queryset) -> None:
        self.each(request, queryset, services.set_baseline, "the baseline now")

    @admin.action(description="Judge again", permissions=["add"])
    def rescore(self, request: HttpRequest, queryset) -> None:
        self.each(request, queryset, services.rescore_run, "judged again")

    @admin.action(description="Archive", permissions=["tidy"])
    def archive(self, request: HttpRequest, queryset) -> None:
        self.each(request, queryset, services.archive_run, "archived")

    @admin.action(description="Take back from the archive", permissions=["tidy"])
    def unarchive(self, request: HttpRequest, queryset) -> None:
        self.each(request, queryset, services.unarchive_run, "in the lists again")

    @admin.action(description="Purge: remove the checkpoints", permissions=["tidy"])
    def purge(self, request: HttpRequest, queryset) -> TemplateResponse | None:
        return self.ask_first(request, queryset, Run.Removal.PURGE, services.purge_run)

    @admin.action(description="Delete", permissions=["tidy"])
    def delete(self, request: HttpRequest, queryset) -> TemplateResponse | None:
        return self.ask_first(request, queryset, Run.Removal.DELETE, services.delete_run)

    def has_tidy_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("runs.delete_run")

    def ask_first(self, request: HttpRequest, queryset, removal: str, service: Callable) -> TemplateResponse | None:
        """Shows what goes; the button on that page does it."""
        if "confirmed" in request.POST:
            self.each(request, queryset, service, f"{removal}d")
            return None
        previews = [services.preview_removal(run=run, removal=removal) for run in queryset]
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": f"{removal.capitalize()} runs?"}
        context |= {"previews": previews, "removal": removal, "bytes": sum(each.size.bytes for each in previews)}
        return TemplateResponse(request, "admin/runs/run/remove.html", context)

    def each(self, request: HttpRequest, queryset, service: Callable, done: str) -> None:
        """Does it with each run and says of each what came of it."""
        for run in queryset:
            try:
                concerned = service(run=run, by=request.user)
            except Refused as refused:
                messages.error(request, refused.detail)
            else:
                going = "being " if concerned and concerned.removal else ""
                messages.success(request, f"{run}: {going}{done}.")


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("run", "stage", "status", "checkpoint_step", "correct_count", "scored_count", "created_at")
    list_filter = ("stage", "status")
    list_select_related = ("run",)


@admin.register(Baseline)
class BaselineAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("evalset", "run", "created_by", "created_at")
    list_select_related = ("evalset", "run", "created_by")
    search_fields = ("evalset__name", "run__name")


@admin.register(Prediction)
class PredictionAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("item", "evaluation", "correct", "answer", "output_tokens", "finish_reason")
    list_filter = ("correct", "evaluation__stage")
    list_select_related = ("item", "evaluation__run")
    search_fields = ("item__item_id", "evaluation__run__name")


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"
