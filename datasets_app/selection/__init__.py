"""Which traces a dataset takes, and in which order."""

from datasets_app.selection.choosing import matching, select, texts
from datasets_app.selection.selection import CHUNK, Selection

__all__ = ["CHUNK", "Selection", "matching", "select", "texts"]
