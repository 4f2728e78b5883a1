"""Whether a replay gave what the run gave that it repeats, kept with both."""

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from runs.models import Run
from training import replay


def store(run: Run) -> None:
    """Compares a replay that was just trained with its parent and keeps the answer, once; their histories tell of it.

    Raises Invalid when one of them left no record.
    """
    found, now = replay.compare(run.parent.directory, run.directory), timezone.now()
    with transaction.atomic():
        answer = found.to_dict() | {"compared_at": now.isoformat(timespec="seconds")}
        if not Run.objects.filter(pk=run.pk, replay__isnull=True).update(replay=answer):
            return
        if found.same:
            Run.objects.filter(pk=run.parent_id).update(reproduced=F("reproduced") + 1, reproduced_at=now)
        verdict = "reproduced" if found.same else "not reproduced"
        run.note(f"compared with {run.parent_id}, {verdict}: {found.headline}")
        run.parent.note(f"{verdict} by the replay {run.pk}: {found.headline}")
