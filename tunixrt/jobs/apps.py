from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "tunixrt.jobs"
    verbose_name = "Long work"
