"""The rows of this room."""

from datasets_app.models.datasets import Dataset, DatasetItem
from datasets_app.models.evalsets import EvalItem, EvalSet

__all__ = ["Dataset", "DatasetItem", "EvalItem", "EvalSet"]
