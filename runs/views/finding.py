"""How pages find what an address names."""

from uuid import UUID

from django.shortcuts import get_object_or_404

from datasets_app.models import EvalItem
from runs.models import Run

MAX_PK = 2**63 - 1  # a larger number is no key, and no database takes it


def find_run_or_404(run_id: UUID) -> Run:
    return get_object_or_404(Run.objects.with_dataset(), pk=run_id)


def find_item_or_404(run: Run, item_id: int) -> EvalItem:
    """An item of the evalset that a run is examined on."""
    return get_object_or_404(run.evalset.items, pk=min(item_id, MAX_PK))
