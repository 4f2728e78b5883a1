"""Long work of this room, as its tasks do it."""

from traces.pipeline.imports import ImportTraces

__all__ = ["ImportTraces"]
