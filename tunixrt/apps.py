from django.apps import AppConfig


class FrameConfig(AppConfig):
    name = "tunixrt"
    label = "frame"
    verbose_name = "tunixrt"

    def ready(self) -> None:
        from django.contrib import admin

        from tunixrt import celery  # noqa: F401  (every process rings at the configured broker)
        from tunixrt.lib import lookups  # noqa: F401  (querysets use them by name)

        admin.site.site_header = admin.site.site_title = "tunixrt"
