"""From a question of an examination to its cause and back: the training rows that are nearest to it with what the
ledger says of them, the traces that were promoted from its answers, and from such a trace the question."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from datasets_app.models import EvalItem
from datasets_app.services import nearest_rows
from runs import ledgers
from runs.models import Run
from traces.models import Trace, TraceQuerySet
from training.formats.evaluation import SOURCE
from training.ledger import Learning
from tunixrt.lib.errors import Conflict
from tunixrt.lib.ids import read_uuid

MOST = 5  # rows on a page
AT_MOST = 50  # for the API


@dataclass(frozen=True)
class Cause:
    """A training row near to a question. `learning` is None where the ledger has no look at it."""

    trace: Trace
    position: int
    score: float
    learning: Learning | None

    def to_dict(self) -> dict[str, Any]:
        row = {"id": str(self.trace.pk), "position": self.position, "score": round(self.score, 6)}
        row |= {"prompt": self.trace.prompt, "final_answer": self.trace.final_answer}
        return row | {"learning": self.learning and _finite(self.learning._asdict())}


class Causes(NamedTuple):
    rows: list[Cause]
    no_ledger: str  # why the run has none; empty where it has one


class Origin(NamedTuple):
    """Where a promoted trace comes from. `item` is None where the run's evalset does not hold it."""

    run: Run
    item: EvalItem | None


def nearest(run: Run, item: EvalItem, most: int = MOST) -> Causes:
    """The rows of the run's train split most like a question and its answer, the likest first.

    Raises Conflict or Unavailable, with what to do, when the rows cannot be read.
    """
    found = nearest_rows(dataset=run.dataset, prompt=item.prompt, answer=item.expected_answer, most=most)
    learning, no_ledger = _learning(run, [near.item.trace for near in found])
    rows = [Cause(near.item.trace, near.item.position, near.score, learning.get(near.item.trace.pk)) for near in found]
    return Causes(rows, no_ledger)


def promoted(run: Run, item: EvalItem) -> TraceQuerySet:
    """The traces that were made of a run's answers to an item, the newest first."""
    return Trace.objects.visible().matching(named(run, item)).newest_first()


def named(run: Run, item: EvalItem) -> dict[str, str]:
    """What `meta` of a promoted trace says of its origin."""
    return {"source": SOURCE, "run_id": str(run.pk), "item_id": item.item_id}


def origin(trace: Trace) -> Origin | None:
    """The run and the question that a promoted trace comes from; None for every other trace."""
    meta = trace.meta or {}
    run_id, item_id = meta.get("run_id"), meta.get("item_id")
    if trace.source != SOURCE or not isinstance(run_id, str) or not isinstance(item_id, str):
        return None
    run = Run.objects.filter(pk=key).select_related("evalset").first() if (key := read_uuid(run_id)) else None
    return run and Origin(run, run.evalset.items.filter(item_id=item_id).first())


def _learning(run: Run, traces: list[Trace]) -> tuple[dict[UUID, Learning], str]:
    """How the run learned each trace that its ledger has looks at; or, without a ledger, nothing and the reason."""
    try:
        ledger = ledgers.find_ledger(run)
    except Conflict as conflict:
        return {}, conflict.detail
    numbers = {trace.pk: number for trace in traces if (number := ledger.number_of(str(trace.pk))) is not None}
    found = ledger.learning(list(numbers.values()))
    return {key: found[number] for key, number in numbers.items() if number in found}, ""


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """`values` with null for what is no number, as JSON wants it."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()
    }
