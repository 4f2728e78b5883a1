from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    name = "datasets_app"
    label = "datasets"
    verbose_name = "Datasets"

    def ready(self) -> None:
        from datasets_app import tasks  # noqa: F401  (long work is known by name in every process)
