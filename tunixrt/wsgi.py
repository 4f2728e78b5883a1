"""The web application, for gunicorn: `gunicorn tunixrt.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tunixrt.settings")
application = get_wsgi_application()
