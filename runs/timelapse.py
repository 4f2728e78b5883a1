"""A run at each of its checkpoints: its answers to the same items, from the first to the last (docs/timelapse.md)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from runs.models import Evaluation, Prediction, Run
from training.examinations import Examined, read_examined
from training.timelapse import Best, Change, Exam, best_of, changes, forgotten
from tunixrt.lib.errors import Refused

REMEMBERED = 8  # runs whose right answers a process keeps


@dataclass(frozen=True)
class Moment:
    """One checkpoint, and what differs from the one before it; `stage` names it in addresses."""

    evaluation: Evaluation
    change: Change
    stage: str
    is_best: bool

    @property
    def step(self) -> int:
        return self.change.exam.step

    @property
    def exam(self) -> Exam:
        return self.change.exam

    def to_dict(self) -> dict[str, Any]:
        counts = {"won": len(self.change.won), "lost": len(self.change.lost), "best": self.is_best}
        return self.evaluation.to_dict() | counts


@dataclass(frozen=True)
class TimeLapse:
    """All checkpoints in their order. Items are told by their primary keys."""

    moments: list[Moment]
    best: Best
    forgotten: Mapping[Any, int]  # the newest step at which it was right, the latest first
    expected: float | None  # share right to expect of the chosen one on other items


def time_lapse(run: Run) -> TimeLapse | None:
    """What a run's examinations at its checkpoints say together; None for a run that has two at most."""
    if "best_step" not in run.metrics:
        return None
    evaluations = list(run.evaluations.current().order_by("checkpoint_step"))
    if not evaluations:
        return None
    right = _right(tuple(evaluation.pk for evaluation in evaluations))
    exams = [_exam(evaluation, right[evaluation.pk]) for evaluation in evaluations]
    best, gone = best_of(exams), forgotten(exams)
    moments = [
        Moment(evaluation, change, stage_of(evaluation), change.exam == best.chosen)
        for evaluation, change in zip(evaluations, changes(exams), strict=True)
    ]
    return TimeLapse(moments, best, gone, run.metrics.get("best_expected_correctness"))


def steps(run: Run) -> dict[str, Any]:
    """The checkpoints as the API shows them; of a run without a time-lapse none."""
    lapse = time_lapse(run)
    if lapse is None:
        return {"best_step": None, "best": None, "steps": [], "forgotten": 0}
    best = lapse.best.to_dict() | {"expected_correctness": lapse.expected}
    return {
        "best_step": lapse.best.chosen.step,
        "best": best,
        "steps": [moment.to_dict() for moment in lapse.moments],
        "forgotten": len(lapse.forgotten),
    }


def stage_of(evaluation: Evaluation) -> str:
    """How addresses name an examination: before, after, or a checkpoint's step."""
    return str(evaluation.checkpoint_step) if evaluation.stage == Evaluation.Stage.STEP else evaluation.stage


def answers_over_time(run: Run, item_id: int) -> list[Prediction]:
    """What was answered to one item at each checkpoint, in their order."""
    rows = Prediction.objects.filter(evaluation__in=run.evaluations.current(), item=item_id)
    return list(rows.select_related("evaluation", "item").order_by("evaluation__checkpoint_step"))


def between(run: Run, summary: Mapping[str, Any]) -> Iterator[Examined]:
    """The examinations that eval.json tells of beside those before and after. Raises Refused when one is not whole."""
    known = {0, summary["checkpoint_step"]}
    for row in summary.get("timelapse", {}).get("steps", ()):
        if (step := row["checkpoint_step"]) not in known:
            if (examined := read_examined(run.directory, step)) is None:
                msg = f"artifacts_missing: what was answered at step {step} is not whole. Examine the run again."
                raise Refused(msg, code="artifacts_missing")
            yield examined


def headline(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What the run's row keeps of the choice among its checkpoints."""
    if "timelapse" not in summary:
        return {}
    best, shown = summary["timelapse"]["best"], summary["timelapse"]["steps"]
    chosen = next(row for row in shown if row["checkpoint_step"] == summary["best_step"])
    return {
        "best_step": summary["best_step"],
        "best_correctness": chosen["answer_correctness"],
        "best_correctness_interval": chosen["interval"],
        "best_expected_correctness": best["expected_correctness"],
        "best_p_adjusted": best["p_adjusted"],
    }


@lru_cache(REMEMBERED)  # rows that are current never change: an examination that is repeated has rows of its own
def _right(evaluations: tuple[UUID, ...]) -> dict[UUID, frozenset[int]]:
    """The items that were right, by examination, all in one query."""
    rows = Prediction.objects.filter(evaluation__in=evaluations, correct=True).order_by()
    right: dict[UUID, set[int]] = {pk: set() for pk in evaluations}
    for evaluation, item in rows.values_list("evaluation", "item"):
        right[evaluation].add(item)
    return {pk: frozenset(items) for pk, items in right.items()}


def _exam(evaluation: Evaluation, right: frozenset[int]) -> Exam:
    return Exam(evaluation.checkpoint_step, right, evaluation.scored_count, evaluation.metrics.get("loss"))
