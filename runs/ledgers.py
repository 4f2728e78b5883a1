"""The rows behind a point of a curve, and a row's losses over time: a run's ledger with the traces that it names."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from django.db.models.functions import Left

from runs.models import Run
from traces.models import Trace
from training.ledger import Ledger, read_ledger
from tunixrt.lib.errors import Conflict, NotFound
from tunixrt.lib.ids import read_uuid
from tunixrt.lib.plots import LineChart, Series, line_chart

EXCERPT = 300  # characters of a prompt
RUNS_OF_A_TRACE = 10  # whose ledgers its page reads
LINES = 4  # of them in its chart


@dataclass(frozen=True)
class Row:
    """A row of a list of the ledger. `prompt` is None when the trace is in this installation no more."""

    id: str
    prompt: str | None
    facts: Any  # a record of training.ledger.LOOK, or a Fate


class Step(NamedTuple):
    """A step of the ledger: its records ranked, and what they are together."""

    number: int
    previous: int | None
    next: int | None
    looks: np.ndarray

    @property
    def loss(self) -> float:
        return float(np.average(self.looks["loss"], weights=self.looks["tokens"]))

    @property
    def tokens(self) -> int:
        return int(self.looks["tokens"].sum())


class History(NamedTuple):
    """What a run made of a trace."""

    run: Run
    looks: np.ndarray

    @property
    def marks(self) -> list[tuple[str, Any]]:
        """The looks that a table names."""
        lowest = np.argmin(np.nan_to_num(self.looks["loss"], nan=np.inf))
        return [("first", self.looks[0]), ("lowest", self.looks[lowest]), ("last", self.looks[-1])]


def find_ledger(run: Run) -> Ledger:
    """The run's ledger as far as it is written. Raises Conflict, with the reason, when it has none."""
    ledger = read_ledger(run.directory)
    if ledger is None:
        raise Conflict(_why_none(run), code="no_ledger")
    return ledger


def step_of(ledger: Ledger, number: int | None) -> Step:
    """The step asked for, else the nearest one recorded, else the last."""
    found = ledger.nearest(2**32 if number is None else number)
    return Step(found, *ledger.neighbours(found), ledger.at(found))


def rows_of(ledger: Ledger, facts: Iterable[Any], numbers: Sequence[int]) -> list[Row]:
    """The rows with these numbers, each with what the ledger says of it and the beginning of its prompt."""
    ids = ledger.id_of(numbers)
    keys = {row_id: key for row_id in ids if (key := read_uuid(row_id))}
    traces = Trace.objects.filter(pk__in=keys.values()).annotate(excerpt=Left("prompt", EXCERPT))
    prompts = dict(traces.values_list("pk", "excerpt"))
    return [Row(row_id, prompts.get(keys.get(row_id)), fact) for row_id, fact in zip(ids, facts, strict=True)]


def ranked(ledger: Ledger, step: int) -> list[dict[str, Any]]:
    """The rows of a step for the API, the highest loss first. Raises NotFound when the step is not recorded."""
    looks = ledger.at(step)
    if not len(looks):
        raise NotFound(f"Step {step} is not in the ledger; {ledger.nearest(step)} is the nearest.")
    ids = ledger.id_of(looks["row"])
    return [{"id": row_id, **_numbers(look)} for row_id, look in zip(ids, looks, strict=True)]


def history(ledger: Ledger, row_id: str) -> list[dict[str, Any]]:
    """The losses of a row over time for the API. Raises NotFound when the run was not taught it."""
    number = ledger.number_of(row_id)
    if number is None:
        raise NotFound("No row with this id was taught.")
    return [{"id": row_id, **_numbers(look)} for look in ledger.history(number)]


def histories(trace: Trace) -> list[History]:
    """What the newest runs that were taught a trace made of it."""
    runs = Run.objects.taught(trace).with_dataset().newest_first()[:RUNS_OF_A_TRACE]
    found = ((run, read_ledger(run.directory)) for run in runs)
    numbered = [(run, ledger, ledger.number_of(str(trace.pk))) for run, ledger in found if ledger]
    looks = [(run, ledger.history(number)) for run, ledger, number in numbered if number is not None]
    return [History(run, seen) for run, seen in looks if len(seen)]


def chart(found: Sequence[History]) -> LineChart | None:
    """The losses of a trace over the steps of a few runs; None when there is nothing to draw."""
    lines = [Series(one.run.name, one.looks["step"].tolist(), one.looks["loss"].tolist()) for one in found[:LINES]]
    return line_chart(lines, title="Loss of this trace", x_label="step", y_label="loss")


def _numbers(look: np.void) -> dict[str, Any]:
    step, _, tokens, loss = look.item()
    return {"step": step, "tokens": tokens, "loss": loss if math.isfinite(loss) else None}


def _why_none(run: Run) -> str:
    if run.engine == Run.Engine.TUNIX:
        return "The engine tunix gives one loss an update, not one a row: its runs keep no ledger."
    if run.is_open:
        return "The ledger begins with the first update."
    return "This run kept no ledger: it did not come to its first update, or an older version of this program did it."
