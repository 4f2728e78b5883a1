"""What was thought: traces, where they came from, and what was said of them."""

from traces.models.imports import Import
from traces.models.judging import Score, Scoring, StepReview
from traces.models.queries import TraceQuerySet
from traces.models.trace import Tag, Trace
from traces.models.twins import Band, Twin

__all__ = ["Band", "Import", "Score", "Scoring", "StepReview", "Tag", "Trace", "TraceQuerySet", "Twin"]
