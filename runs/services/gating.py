"""Runs held against the baseline of their evalset, or against any other run on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from runs.entries import JUDGE, version_of
from runs.models import Baseline, Evaluation, Prediction, Run
from training.comparison import QUESTION
from training.decision import decide
from training.gate import Gate, pass_gate
from training.slices import DIMENSIONS
from tunixrt.lib.errors import Conflict, Rule

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
    if base.evalset_id != run.evalset_id:
        raise Rule("These runs were examined on different evalsets, so their scores do not compare.")
    theirs, ours = (_result_of(each) for each in (base, run))
    if version_of(theirs.judges) != version_of(ours.judges):
        raise Rule(_judged_otherwise(base, theirs, run, ours), code="judges_differ")
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
    rows = {pk: [{**item, "correct": found.get(item["pk"])} for item in items] for pk, found in judged.items()}
    return {pk: pass_gate(decide(rows[base.pk], rows[pk], items), margin=margin) for pk in others}


def _result_of(run: Run) -> Evaluation:
    result = run.evaluations.current().filter(stage=Evaluation.Stage.AFTER).select_related("evalset").first()
    if result is None:
        raise Conflict(f"{run} has no results to compare: it is {run.state}.", code="not_examined")
    return result


def _judged_otherwise(base: Run, theirs: Evaluation, run: Run, ours: Evaluation) -> str:
    versions = " and ".join(
        f"{each} by {JUDGE} {version_of(result.judges) or 'of an unknown version'}"
        for each, result in ((base, theirs), (run, ours))
    )
    return f"The two were not judged alike: {versions}. Judge the older one again."
