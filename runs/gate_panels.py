"""What pages draw of baselines and gates."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from runs import services
from runs.models import Baseline, Run
from runs.services import Gated, Record
from tunixrt.lib.errors import Refused
from tunixrt.lib.interval_charts import Estimate, IntervalChart, interval_chart
from tunixrt.lib.tags import interval, percent


@dataclass(frozen=True)
class GateLine:
    """How a run stands to the baseline of its evalset; without a baseline, that there could be one."""

    baseline: Baseline | None
    is_baseline: bool = False
    gated: Gated | None = None
    refusal: str = ""


def gate_line(run: Run) -> GateLine | None:
    """None for a run without a result of its own."""
    if run.status != Run.Status.COMPLETED or not run.metrics.get("n_scored"):
        return None
    baseline = Baseline.objects.of(run.evalset)
    if baseline is None or baseline.run_id == run.pk:
        return GateLine(baseline, baseline is not None)
    try:
        return GateLine(baseline, gated=services.gate_run(run=run))
    except Refused as refused:
        return GateLine(baseline, refusal=refused.detail)


def history_chart(records: Sequence[Record]) -> IntervalChart | None:
    """The records, the newest first, drawn from the oldest to the newest."""
    return interval_chart([_estimate(record) for record in reversed(records)], title="Right answers by run")


def _estimate(record: Record) -> Estimate:
    entry, gate = record.entry, record.gate
    said = gate.reason if gate else record.why
    worse = "worse" if gate and not gate.passed else "plain"
    return Estimate(
        label=f"{record.run.name}: {percent(entry.score)} ({interval(list(entry.interval))}). {said}",
        value=entry.score,
        interval=entry.interval,
        href=reverse("run_detail", args=[entry.run]),
        tick=f"{entry.launched_at:%-d %b}",
        kind="baseline" if record.is_baseline else worse,
    )
