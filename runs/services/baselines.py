"""The run that others on an evalset are held against."""

from django.db import transaction

from runs.models import Baseline, Run
from runs.services.disposing import lock_kept
from tunixrt.lib.errors import Conflict


@transaction.atomic
def set_baseline(*, run: Run, by=None) -> Run:
    """Makes a completed run the baseline of its evalset from now on. Harmless the second time.

    Raises Conflict for a run without a score, or that is being deleted.
    """
    run = lock_kept(run)
    if run.status != Run.Status.COMPLETED or not run.metrics.get("n_scored"):
        raise Conflict(f"{run} is {run.state} and has no score: it cannot be the baseline.", code="not_examined")
    present = Baseline.objects.of(run.evalset)
    if present is None or present.run_id != run.pk:
        Baseline.objects.create(evalset=run.evalset, run=run, created_by=by)
        run.note(f"made the baseline of {run.evalset}", by)
    return run
