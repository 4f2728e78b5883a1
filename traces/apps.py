from django.apps import AppConfig


class TracesConfig(AppConfig):
    name = "traces"

    def ready(self) -> None:
        from traces import tasks  # noqa: F401  (long work is known by name in every process)
