"""A run's answers are judged again as long work, where judges have changed since: no model is asked."""

import time

from runs import verdicts
from runs.models import Evaluation, Run
from training.evalsets import read_evalset
from training.judges import judge_changes
from training.rescoring import rescore_files
from tunixrt.jobs.models import Job
from tunixrt.jobs.work import Work
from tunixrt.lib.errors import Refused

EVERY_SECONDS = 1.0  # a sign of life, which is a write; a row takes no time, or as long as math-verify is given


class RescoreRun(Work):
    """Rewrites the files of the examination, then takes their rows into the database in place of the present ones.

    Whatever cuts it off, it begins again: the same answers get the same verdicts.
    """

    kind = "rescore_run"
    page = "run_detail"

    def body(self, job: Job) -> None:
        run = Run.objects.select_related("evalset").get(pk=job.target)
        changed, told = judge_changes(present_judges(run) or {}), 0.0

        def progress(done: int, due: int) -> None:
            nonlocal told
            if done == due or time.monotonic() - told >= EVERY_SECONDS:
                told = time.monotonic()
                job.tick(done, due, "judging the answers again")

        try:
            items = read_evalset(run.evalset.path)
            rescore_files(run.directory, items, recipe=run.config["data"]["recipe"], progress=progress)
        except FileNotFoundError as error:
            msg = f"artifacts_missing: {error.filename} is gone. Examine the run again instead."
            raise Refused(msg, code="artifacts_missing")
        job.tick()
        was = right_answers(run)
        verdicts.store(run)
        by = ", ".join(changed) or "by the same judges"
        run.note(f"judged again: {by}; {was}, now {right_answers(run)}", job.created_by)

    def ended(self, job: Job) -> None:
        if job.status != Job.Status.DONE and (run := Run.objects.filter(pk=job.target).first()):
            run.note(f"judging it again stopped: {job.error or job.status}. Ask for it again to go on.")


def present_judges(run: Run) -> dict[str, str] | None:
    """Name and version of the judges behind a run's present results; None while it has none."""
    after = run.evaluations.current().filter(stage=Evaluation.Stage.AFTER)
    return after.values_list("judges", flat=True).first()


def right_answers(run: Run) -> str:
    """Before and after training, for a sentence."""
    counts = dict(run.evaluations.current().values_list("stage", "correct_count"))
    before, after = (counts.get(stage, "–") for stage in (Evaluation.Stage.BEFORE, Evaluation.Stage.AFTER))
    return f"{before} right before and {after} after"
