from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class DatasetsConfig(AppConfig):
    name = "datasets_app"
    label = "datasets"
    verbose_name = "Datasets"

    def ready(self) -> None:
        from datasets_app import tasks  # noqa: F401  (long work is known by name in every process)
        from datasets_app.gates import NAMES

        if unknown := [name for name in settings.DATASET_REFUSES if name not in NAMES]:
            value, allowed = ",".join(settings.DATASET_REFUSES), ", ".join(NAMES)
            raise ImproperlyConfigured(f"DATASET_REFUSES={value!r}: {unknown[0]} is no gate; there are {allowed}")
