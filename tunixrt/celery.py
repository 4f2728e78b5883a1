"""The Celery application: `celery -A tunixrt worker -Q runs` starts a worker for training and examination."""

import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tunixrt.settings")

app = Celery("tunixrt")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_django_logging(**kwargs: object) -> None:
    """Connecting this signal keeps Celery from replacing the logging that Django set up."""
