"""Runs held against the baseline of their evalset, or against any other run on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from runs.models import Baseline, Evaluation, Prediction, Run
from runs.services.results import require_judged_alike, results_of
from training.comparison import QUESTION
from training.decision import decide
from training.gate import Gate, pass_gate
from training.result_rows import ResultRow
from training.slices import DIMENSIONS
from tunixrt.lib.errors import Conflict

KEPT = 5_000  # gates in memory, of a few hundred bytes each

_said: dict[tuple[UUID, UUID, float], Gate] = {}


@dataclass(frozen=True)
class Gated:
    """What the gate says of `other` held against `base`."""

    base: Run
    other: Run
    gate: Gate

    def to_dict(self) -> dict[str, Any]:
        runs = {"base": str(self.base.pk), "other": str(self.other.pk), "evalset": str(self.other.evalset_id)}
        return self.gate.to_dict() | runs


def gate_run(*, run: Run, base: Run | None = None, margin: float = 0.0) -> Gated:
    """Whether a run is surely worse than `base`, by default the baseline of its evalset, by more than `margin` points.

    Raises Conflict when there is no baseline or no result, Rule when the two do not compare.
    """
    base = base or baseline_of(run)
    theirs, ours = results_of(base, run)
    require_judged_alike(theirs, ours)
    return Gated(base, run, gates_against(theirs, [ours.pk], margin)[ours.pk])


def baseline_of(run: Run) -> Run:
    """The run that counts as the baseline of the run's evalset now. Raises Conflict when none was chosen."""
    baseline = Baseline.objects.of(run.evalset)
    if baseline is None:
        told = f"{run.evalset} has no baseline. Choose one: manage.py set_baseline RUN"
        raise Conflict(told, code="no_baseline")
    return Run.objects.with_dataset().get(pk=baseline.run_id)


def gates_against(base: Evaluation, others: Sequence[UUID], margin: float = 0.0) -> dict[UUID, Gate]:
    """What the gate says of each of these examinations, by id. Two queries, however many there are.

    What a completed examination holds never changes, so each is held against the base once.
    """
    known = {pk: gate for pk in others if (gate := _said.get((base.pk, pk, margin)))}
    new = _gates(base, unknown, margin) if (unknown := [pk for pk in others if pk not in known]) else {}
    if len(_said) + len(new) > KEPT:
        _said.clear()
    _said.update({(base.pk, pk, margin): gate for pk, gate in new.items()})
    return known | new


def _gates(base: Evaluation, others: Sequence[UUID], margin: float) -> dict[UUID, Gate]:
    asked = base.evalset.items.values("pk", "item_id", *QUESTION, *DIMENSIONS)
    items = [{"id": each.pop("item_id"), **each} for each in asked]
    results = list(dict.fromkeys((base.pk, *others)))
    judged: dict[UUID, dict[int, bool | None]] = {pk: {} for pk in results}
    for place, item, correct in Prediction.objects.judgements(results):
        judged[results[place]][item] = correct
    theirs = _rows(items, judged[base.pk])
    # One examination after the other: the rows of all at once would be many times what was judged.
    return {pk: pass_gate(decide(theirs, _rows(items, judged[pk]), items), margin=margin) for pk in others}


def _rows(items: Sequence[dict[str, Any]], judged: Mapping[int, bool | None]) -> list[ResultRow]:
    return [{**item, "correct": judged.get(item["pk"])} for item in items]
