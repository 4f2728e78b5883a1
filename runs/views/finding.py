"""How pages find what an address names."""

from uuid import UUID

from django.shortcuts import get_object_or_404

from runs.models import Run


def find_run_or_404(run_id: UUID) -> Run:
    return get_object_or_404(Run.objects.with_dataset(), pk=run_id)
