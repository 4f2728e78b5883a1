from django.contrib import admin

from tunixrt.jobs import work
from tunixrt.jobs.models import Beacon, Job
from tunixrt.lib.admin import ReadOnly


@admin.register(Job)
class JobAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("id", "kind", "status", "queue", "attempt", "percent", "message", "worker", "created_at")
    list_filter = ("status", "kind", "queue")
    search_fields = ("id", "target")
    actions = ("cancel",)

    @admin.action(description="Cancel", permissions=["view"])
    def cancel(self, request, queryset) -> None:
        for job in queryset:
            work.cancel(job)


@admin.register(Beacon)
class BeaconAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("name", "kind", "queue", "seen_at")
