from django.contrib import admin

from tunixrt.jobs import work
from tunixrt.jobs.models import Beacon, Job


@admin.register(Job)
class JobAdmin(admin.ModelAdmin):
    list_display = ("id", "kind", "status", "queue", "attempt", "percent", "message", "worker", "created_at")
    list_filter = ("status", "kind", "queue")
    search_fields = ("id", "target")
    actions = ("cancel",)

    def has_add_permission(self, request) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False

    @admin.action(description="Cancel", permissions=["view"])
    def cancel(self, request, queryset) -> None:
        for job in queryset:
            work.cancel(job)


@admin.register(Beacon)
class BeaconAdmin(admin.ModelAdmin):
    list_display = ("name", "kind", "queue", "seen_at")

    def has_add_permission(self, request) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False
