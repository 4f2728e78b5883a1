"""Which rows must share a split: `Groups` takes rows by chunks and resolves them. Read `grouping.py` first."""

from training.groups.grouping import Groups, Resolved, age_of

__all__ = ["Groups", "Resolved", "age_of"]
