"""Long work of this room, as its tasks do it."""

from traces.pipeline.clearing import ClearImport, refuse_if_held
from traces.pipeline.imports import DISK_FULL, ImportTraces
from traces.pipeline.kinds import LIBRARY
from traces.pipeline.twins import FindTwins

__all__ = ["DISK_FULL", "LIBRARY", "ClearImport", "FindTwins", "ImportTraces", "refuse_if_held"]
