"""One settings file. It starts with nothing configured; the environment changes it: docs/settings.md has every name."""

import secrets
import sys
from datetime import timedelta
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from training.memory import machine_memory
from tunixrt.lib import env

BASE_DIR = Path(__file__).resolve().parent.parent
TUNIXRT_HOME = Path(env.text("TUNIXRT_HOME", str(BASE_DIR / "var"))).expanduser().resolve()
TUNIXRT_HOME.mkdir(parents=True, exist_ok=True)


def secret_key() -> str:
    """The key of the environment, else one drawn at the first start and kept readable to its owner only."""
    if given := env.text("SECRET_KEY", ""):
        return given
    kept = TUNIXRT_HOME / "secret_key"
    if not kept.exists():
        aside = TUNIXRT_HOME / f".secret_key.{secrets.token_hex(8)}"
        aside.touch(mode=0o600)
        aside.write_text(get_random_secret_key())
        try:
            kept.hardlink_to(aside)  # fails when another process was first: its key counts
        except FileExistsError:
            pass
        finally:
            aside.unlink()
    return kept.read_text()


# --- Who may ask, and how ---------------------------------------------------------------------------
DEBUG = env.flag("DEBUG", False)
PRODUCTION = env.choice("APP_ENV", "laptop", allowed=("laptop", "production")) == "production"
SECRET_KEY = secret_key()
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", "")
CSRF_FAILURE_VIEW = "tunixrt.views.csrf_failure"
ADMIN_PATH = env.text("ADMIN_PATH", "admin/")

if PRODUCTION:
    if len(env.text("SECRET_KEY", "")) < 50 or DEBUG or "*" in ALLOWED_HOSTS:
        raise ImproperlyConfigured(
            "APP_ENV=production wants SECRET_KEY of 50 characters, DEBUG off and named ALLOWED_HOSTS"
        )
    SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", True)
    SECURE_HSTS_SECONDS = env.number("SECURE_HSTS_SECONDS", 3600, minimum=0, maximum=63_072_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    if env.flag("BEHIND_PROXY", False):
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- The rooms ----------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "csp",
    "tunixrt",
    "tunixrt.jobs",
    "traces",
    "datasets_app",
    "runs",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "tunixrt.lib.requests.RequestIdMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "tunixrt.urls"
WSGI_APPLICATION = "tunixrt.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["tunixrt.lib.tags"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
LOGIN_URL, LOGIN_REDIRECT_URL, LOGOUT_REDIRECT_URL = "login", "home", "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LANGUAGE_CODE, TIME_ZONE, USE_TZ, USE_I18N = "en", "UTC", True, False
STATIC_URL, STATIC_ROOT = "static/", TUNIXRT_HOME / "static"
STATIC_ROOT.mkdir(exist_ok=True)
WHITENOISE_USE_FINDERS = True  # serves what the packages bring: nothing to collect on a laptop
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
INSTALLED_APPS.insert(0, "django.forms")

# --- Where things live ------------------------------------------------------------------------------
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": dj_database_url.parse(
        env.text("DATABASE_URL", f"sqlite:///{TUNIXRT_HOME / 'db.sqlite3'}"), conn_max_age=60, conn_health_checks=True
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON;",
    }
elif DATABASES["default"]["ENGINE"].endswith("postgresql"):
    # Who waits for a lock gives up as with SQLite, and the page says so; a server that is gone is known after 5 s.
    waits = {"connect_timeout": 5, "options": "-c lock_timeout=20000"}
    DATABASES["default"]["OPTIONS"] = waits | DATABASES["default"].get("OPTIONS", {})

TRACE_MAX_BYTES = env.number("TRACE_MAX_BYTES", 1024**2, minimum=1024, maximum=64 * 1024**2)
UPLOAD_MAX_BYTES = env.number("UPLOAD_MAX_BYTES", 64 * 1024**2, minimum=1024, maximum=16 * 1024**3)
DATA_UPLOAD_MAX_MEMORY_SIZE = UPLOAD_MAX_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000  # a thousand ticked traces, and some
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024**2
FILE_UPLOAD_TEMP_DIR = TUNIXRT_HOME / "uploads"
FILE_UPLOAD_TEMP_DIR.mkdir(exist_ok=True)
DATASET_REFUSES = env.words("DATASET_REFUSES", "")  # names of gates; the room of datasets knows which there are
DISK_RESERVE_BYTES = env.number("DISK_RESERVE_BYTES", 1024**3, minimum=0, maximum=1024**5)

# --- Long work --------------------------------------------------------------------------------------
# The row is the truth and the broker a doorbell: no results, no late acknowledgement, no redelivery to rely on.
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "")
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object]
if CELERY_BROKER_URL:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 3600,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }
else:
    broker_folder = TUNIXRT_HOME / "broker"
    CELERY_BROKER_URL = "filesystem://localhost"
    CELERY_BROKER_TRANSPORT = "tunixrt.lib.broker:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(broker_folder / "messages"),
        "data_folder_out": str(broker_folder / "messages"),
        "control_folder": str(broker_folder / "control"),
    }
    for name in ("messages", "control"):
        (broker_folder / name).mkdir(parents=True, exist_ok=True)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_CONCURRENCY = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 50
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "short"

RUN_HEARTBEAT_SECONDS = env.number("RUN_HEARTBEAT_SECONDS", 10, minimum=1, maximum=600)
RUN_LEASE_SECONDS = env.number("RUN_LEASE_SECONDS", 9 * RUN_HEARTBEAT_SECONDS, minimum=3, maximum=7200)
RUN_GRACE_SECONDS = env.number("RUN_GRACE_SECONDS", min(20, RUN_LEASE_SECONDS // 3), minimum=1, maximum=600)
RUN_DEVICE = env.choice("RUN_DEVICE", "auto", allowed=("auto", "cpu", "gpu", "tpu"))
RUN_PYTHON = env.program("RUN_PYTHON", Path(sys.executable))
TUNIX_PYTHON = env.program("TUNIX_PYTHON", BASE_DIR / ".venv-tunix" / "bin" / "python")
RUN_STALL_SECONDS = env.number("RUN_STALL_SECONDS", 600, minimum=1, maximum=7 * 24 * 3600)
RUN_MAX_SECONDS = env.number("RUN_MAX_SECONDS", 7 * 24 * 3600, minimum=60, maximum=365 * 24 * 3600)
RUN_MEMORY_BYTES = env.number("RUN_MEMORY_BYTES", machine_memory() or 2**50, minimum=2**20, maximum=2**50)
RUN_THREADS = env.number("RUN_THREADS", 0, minimum=0, maximum=4096)
if RUN_LEASE_SECONDS < 3 * RUN_HEARTBEAT_SECONDS:
    raise ImproperlyConfigured("RUN_LEASE_SECONDS must be at least three times RUN_HEARTBEAT_SECONDS")

# --- The API ------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tunixrt.lib.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["tunixrt.lib.api.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "tunixrt.lib.api.answer_error",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
REST_KNOX = {
    "TOKEN_TTL": timedelta(days=env.number("TOKEN_DAYS", 365, minimum=1, maximum=3650)),
    "TOKEN_PREFIX": "trt_",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "tunixrt",
    "DESCRIPTION": "Traces, datasets, runs and their evaluations.",
    "VERSION": "1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "ENUM_NAME_OVERRIDES": {
        "ImportStatus": "traces.models.Import.Status",
        "DatasetStatus": "datasets_app.models.Dataset.Status",
        "EvalSetOrigin": "datasets_app.models.EvalSet.Origin",
        "RunStatus": "runs.models.Run.Status",
        "RunOrigin": "runs.models.Run.Origin",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {
        "handlers": ["console"],
        "level": env.choice("LOG_LEVEL", "INFO", allowed=("DEBUG", "INFO", "WARNING", "ERROR")),
    },
    "loggers": {"django.server": {"level": "WARNING"}},
}
