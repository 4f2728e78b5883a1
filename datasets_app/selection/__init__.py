"""Which traces a dataset takes, and in which order."""

from datasets_app.selection.choosing import foreseen, glimpse, select
from datasets_app.selection.pool import matching
from datasets_app.selection.selection import CHUNK, Selection

__all__ = ["CHUNK", "Selection", "foreseen", "glimpse", "matching", "select"]
