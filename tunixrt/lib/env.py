"""Settings from the environment. A wrong value stops the start with its name, its value and what is allowed."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def text(name: str, default: str) -> str:
    return os.environ.get(name, default)


def flag(name: str, default: bool) -> bool:
    value = os.environ.get(name, str(default)).lower()
    if value not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name}={value!r}: must be one of true, false, 1, 0, yes, no, on, off")
    return value in TRUE


def number(name: str, default: int, *, minimum: int, maximum: int) -> int:
    value = os.environ.get(name, str(default))
    if not value.isascii() or not value.isdigit() or not minimum <= int(value) <= maximum:
        raise ImproperlyConfigured(f"{name}={value!r}: must be a whole number from {minimum} to {maximum}")
    return int(value)


def choice(name: str, default: str, *, allowed: tuple[str, ...]) -> str:
    value = os.environ.get(name, default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name}={value!r}: must be one of {', '.join(allowed)}")
    return value


def program(name: str, default: Path) -> Path:
    """A file that can be executed. The default may be missing: then nobody installed it."""
    value = os.environ.get(name)
    if value and not os.access(value, os.X_OK):
        raise ImproperlyConfigured(f"{name}={value!r}: must be the path of a program")
    return Path(value).absolute() if value else default


def words(name: str, default: str) -> list[str]:
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]
