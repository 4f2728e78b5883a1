"""The first login of an installation."""

from django.contrib.auth import get_user_model
from django.utils.crypto import get_random_string


def first_admin() -> str | None:
    """Makes the login `admin` when there is nobody yet, and returns its password: the only time it is known."""
    users = get_user_model().objects
    if users.exists():
        return None
    password = get_random_string(20)
    users.create_superuser("admin", password=password)
    return password
