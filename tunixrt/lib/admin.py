"""The admin looks; services change."""

from django.http import HttpRequest


class ReadOnly:
    """For a ModelAdmin or an inline: everything is shown, nothing is added, edited or deleted by hand."""

    def has_add_permission(self, request: HttpRequest, obj=None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj=None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False
