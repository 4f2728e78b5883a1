"""The score over the items that a run's dataset does not give away, beside its score over all of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from datasets_app.models import Dataset, EvalSet
from datasets_app.services import GivenAway, given_away
from runs.entries import Entry
from runs.models import Prediction
from training.statistics import wilson_interval

MOST_IDS = 10_000  # in one query; beyond, all items are read


@dataclass(frozen=True)
class Exposure:
    """What a run's dataset gives away of the evalset, and its score without that.

    `given_away` is None where the rows were never held against these items; `scored` is None where not all of what is
    given away is known by name, so that there is no clean score.
    """

    given_away: int | None = None
    right: int | None = None
    scored: int | None = None

    @property
    def score(self) -> float | None:
        return self.right / self.scored if self.right is not None and self.scored else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson_interval(self.right, self.scored) if self.right is not None and self.scored else None

    def to_dict(self) -> dict[str, Any]:
        clean = {"right": self.right, "scored": self.scored, "score": self.score, "interval": self.interval}
        return {"checked": self.given_away is not None, "given_away": self.given_away, "clean": clean}


def exposures(evalset: EvalSet, entries: Sequence[Entry], datasets: Mapping[UUID, Dataset]) -> dict[UUID, Exposure]:
    """By run. However many runs there are, three queries."""
    found = {pk: given_away(dataset=dataset, evalset=evalset) for pk, dataset in datasets.items()}
    leaking = [entry for entry in entries if (given := found[entry.dataset]) and given.items and given.is_complete]
    without = _without(evalset, leaking, {pk: given for pk, given in found.items() if given})
    return {entry.run: without.get(entry.run) or _untouched(entry, found[entry.dataset]) for entry in entries}


def _untouched(entry: Entry, given: GivenAway | None) -> Exposure:
    """Of a run none of whose answers has to be left out, or whose dataset leaves in the dark which ones."""
    if given is None:
        return Exposure()
    return Exposure(given.count) if given.count else Exposure(0, entry.right, entry.scored)


def _without(evalset: EvalSet, entries: Sequence[Entry], found: Mapping[UUID, GivenAway]) -> dict[UUID, Exposure]:
    """The counts of the results less those of the items given away.

    An item whose prompt is given away is given away itself, under whatever id it asks it.
    """
    if not entries:
        return {}
    ids = frozenset[str]().union(*(found[entry.dataset].items for entry in entries))
    named = evalset.items.filter(item_id__in=ids) if len(ids) <= MOST_IDS else evalset.items.all()
    prompts = dict(named.order_by().values_list("item_id", "prompt"))
    judged = defaultdict(list)
    for evaluation, prompt, correct in _answers(evalset, entries, named):
        judged[evaluation].append((prompt, correct))
    return {
        entry.run: _less(entry, {prompts[item] for item in found[entry.dataset].items & prompts.keys()}, judged)
        for entry in entries
    }


def _answers(evalset: EvalSet, entries: Sequence[Entry], named: Any) -> Iterable[tuple[UUID, str, bool | None]]:
    items = evalset.items.order_by().filter(prompt__in=named.order_by().values("prompt"))
    results = [entry.evaluation for entry in entries]
    rows = Prediction.objects.filter(evaluation__in=results, item__in=items.values("pk"))
    return rows.order_by().values_list("evaluation_id", "item__prompt", "correct")


def _less(entry: Entry, prompts: set[str], judged: Mapping[UUID, list[tuple[str, bool | None]]]) -> Exposure:
    verdicts = [correct for prompt, correct in judged[entry.evaluation] if prompt in prompts]
    scored = sum(correct is not None for correct in verdicts)
    right = sum(correct is True for correct in verdicts)
    return Exposure(len(verdicts), entry.right - right, entry.scored - scored)
