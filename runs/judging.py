"""What pages say of the judges behind a run's results, when these are not those of today."""

from dataclasses import dataclass

from runs.models import Run
from runs.rescoring import RescoreRun, present_judges
from training.judges import judge_changes
from tunixrt.jobs.models import Job


@dataclass(frozen=True)
class Judging:
    """The judges that changed since, in words, and the work that judges again, while it is under way."""

    changes: list[str]
    job: Job | None


def judging(run: Run, job: Job | None) -> Judging | None:
    """Of a run and its newest work. None where there is nothing to say: no results yet, or by the judges of today."""
    judges = None if run.is_open else present_judges(run)
    if judges is None:
        return None
    under_way = job if job and job.is_open and job.kind == RescoreRun.kind else None
    found = judge_changes(judges)
    return Judging(found, under_way) if found or under_way else None
