"""The settings of tunixrt with the plain endpoints beside it."""

from tunixrt.settings import *  # noqa: F403

ROOT_URLCONF = "tests.benchmarks.urls"
