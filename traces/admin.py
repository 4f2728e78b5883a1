from django.contrib import admin, messages

from traces import services
from traces.models import Import, Score, Trace
from tunixrt.lib.admin import ReadOnly
from tunixrt.lib.errors import Refused

AT_ONCE = 1_000  # traces that a person waits for


class ScoreInline(ReadOnly, admin.TabularInline):
    model = Score
    fields = ("scorer", "version", "score", "details", "created_by", "created_at")


@admin.register(Trace)
class TraceAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("__str__", "final_answer_short", "step_count", "source", "created_at")
    list_filter = ("trace_version", "created_at")
    list_select_related = ()
    search_fields = ("prompt", "final_answer")
    search_help_text = "Words that all occur in the trace, the last perhaps only begun."
    show_full_result_count = False
    inlines = (ScoreInline,)
    actions = ("score", "delete")

    def get_queryset(self, request):
        return Trace.objects.visible()

    def get_search_results(self, request, queryset, search_term):
        return (queryset.search(search_term) if search_term else queryset), False

    @admin.display(description="final answer")
    def final_answer_short(self, trace: Trace) -> str:
        return trace.final_answer[:60]

    def has_score_permission(self, request) -> bool:
        return request.user.has_perm("traces.add_score")

    def has_removal_permission(self, request) -> bool:
        return request.user.has_perm("traces.delete_trace")

    @admin.action(description="Score by every rule", permissions=["score"])
    def score(self, request, queryset) -> None:
        if queryset[: AT_ONCE + 1].count() > AT_ONCE:
            self.message_user(request, f"At most {AT_ONCE:,} at once; the page of scores does more.", messages.ERROR)
            return
        scored = services.score_traces(traces=queryset, scorer=services.ALL, by=request.user)
        self.message_user(request, f"{scored} scored.", messages.SUCCESS)

    @admin.action(description="Delete those that no dataset holds", permissions=["removal"])
    def delete(self, request, queryset) -> None:
        if queryset[: AT_ONCE + 1].count() > AT_ONCE:
            self.message_user(request, f"At most {AT_ONCE:,} at once.", messages.ERROR)
            return
        held = 0
        for trace in queryset:
            try:
                services.delete_trace(trace=trace)
            except Refused:
                held += 1
        level = messages.WARNING if held else messages.SUCCESS
        self.message_user(request, f"{len(queryset) - held} deleted, {held} held by a dataset or a correction.", level)


@admin.register(Import)
class ImportAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("file_name", "status", "format", "stored_count", "duplicate_count", "bad_count", "created_at")
    list_filter = ("status", "format")
    search_fields = ("file_name",)
    actions = ("cancel", "undo")

    @admin.action(description="Cancel", permissions=["view"])
    def cancel(self, request, queryset) -> None:
        for row in queryset:
            try:
                services.cancel_import(row=row)
            except Refused as refused:
                self.message_user(request, refused.detail, messages.WARNING)

    @admin.action(description="Undo those that no dataset is made of", permissions=["removal"])
    def undo(self, request, queryset) -> None:
        for row in queryset:
            try:
                services.undo_import(row=row, by=request.user)
            except Refused as refused:
                self.message_user(request, refused.detail, messages.WARNING)

    def has_removal_permission(self, request) -> bool:
        return request.user.has_perm("traces.delete_trace")
