from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "runs"

    def ready(self) -> None:
        from runs import tasks  # noqa: F401  (long work is known by name in every process)
