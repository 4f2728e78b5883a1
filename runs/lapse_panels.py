"""What pages draw of a run's checkpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.urls import reverse

from datasets_app.models import EvalItem
from runs.models import Run
from runs.timelapse import Moment, TimeLapse, time_lapse
from training.record import CHECKPOINTS
from tunixrt.lib.interval_charts import Estimate, IntervalChart, interval_chart
from tunixrt.lib.tags import interval

FIRST = 10  # forgotten items on the run's page


@dataclass(frozen=True)
class Shown:
    """A time-lapse as the run's page has it."""

    lapse: TimeLapse
    chart: IntervalChart | None
    forgotten: list[tuple[EvalItem, int]]  # the first of them, each with the newest step at which it was right
    checkpoint: Path | None  # of the chosen step, in the run's directory; None when it is gone


def shown(run: Run) -> Shown | None:
    lapse = time_lapse(run)
    if lapse is None:
        return None
    checkpoint = Path(CHECKPOINTS) / str(lapse.best.chosen.step)
    is_there = (run.directory / checkpoint).is_dir()
    first = list(lapse.forgotten)[:FIRST]
    gone = [(item, lapse.forgotten[item.pk]) for item in in_order(first)]
    return Shown(lapse, _chart(run, lapse.moments), gone, checkpoint if is_there else None)


def in_order(keys: Sequence[int]) -> list[EvalItem]:
    """The items with these primary keys, in the order of the keys."""
    found = EvalItem.objects.in_bulk(keys)
    return [found[key] for key in keys]


def _chart(run: Run, moments: Sequence[Moment]) -> IntervalChart | None:
    estimates = [_estimate(run, moment, share) for moment in moments if (share := moment.exam.share) is not None]
    return interval_chart(estimates, title="Right answers by checkpoint")


def _estimate(run: Run, moment: Moment, share: float) -> Estimate:
    exam = moment.exam
    chosen = ", chosen as the best" if moment.is_best else ""
    return Estimate(
        label=f"step {exam.step}: {len(exam.right)} of {exam.n_scored} right ({interval(list(exam.interval))}){chosen}",
        value=share,
        interval=exam.interval,
        href=f"{reverse('run_predictions', args=[run.pk])}?stage={moment.stage}",
        tick=f"{exam.step}",
        kind="baseline" if moment.is_best else "plain",
    )
