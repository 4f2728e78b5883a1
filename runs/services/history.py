"""What the runs on an evalset came to, over time, held against its baseline."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from datasets_app.models import EvalSet
from runs.entries import Entry, choices, entries_of, passing, read_filters, version_of
from runs.models import Baseline, Evaluation, Run
from runs.services.gating import gates_against
from training.gate import Gate


@dataclass(frozen=True)
class Record:
    """A run in the history of its evalset. `gate` is None for the baseline itself, and where none can be: `why`."""

    run: Run
    entry: Entry
    baselines: list[Baseline]  # whenever it was made the baseline, the last time first
    is_baseline: bool
    gate: Gate | None
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        entry = self.entry
        return {
            "run": str(entry.run),
            "name": self.run.name,
            "dataset_key": entry.dataset_key,
            "engine": entry.engine,
            "recipe": entry.recipe,
            "model": entry.model,
            "right": entry.right,
            "scored": entry.scored,
            "score": entry.score,
            "interval": entry.interval,
            "judges": entry.judges,
            "launched_at": entry.launched_at,
            "baseline": self.is_baseline,
            "baseline_since": [baseline.created_at for baseline in self.baselines],
            "gate": self.gate.to_dict() if self.gate else None,
            "why": self.why,
        }


class History:
    """Records, the newest first. A slice holds the runs in it against the baseline, in one query for all."""

    def __init__(self, evalset: EvalSet, entries: Sequence[Entry], choices: Mapping[str, list[str]]):
        self.evalset, self.entries, self.choices = evalset, entries, choices
        self.baseline = Baseline.objects.of(evalset)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Record]:
        return iter(self[:])

    def __getitem__(self, part: slice) -> list[Record]:
        entries = self.entries[part]
        runs = Run.objects.with_tags().in_bulk([entry.run for entry in entries])
        gates = self._gates([entry for entry in entries if not self._why_not(entry)])
        return [
            Record(
                run=runs[entry.run],
                entry=entry,
                baselines=self._chosen.get(entry.run, []),
                is_baseline=self.is_baseline(entry),
                gate=gates.get(entry.evaluation),
                why=self._why_not(entry),
            )
            for entry in entries
            if entry.run in runs  # but for one deleted this very moment
        ]

    def is_baseline(self, entry: Entry) -> bool:
        return self.baseline is not None and self.baseline.run_id == entry.run

    @cached_property
    def _chosen(self) -> dict[Any, list[Baseline]]:
        found: dict[Any, list[Baseline]] = {}
        for baseline in self.evalset.baselines.order_by("-id"):
            found.setdefault(baseline.run_id, []).append(baseline)
        return found

    @cached_property
    def _base(self) -> Evaluation | None:
        if self.baseline is None:
            return None
        results = Evaluation.objects.current().filter(stage=Evaluation.Stage.AFTER, run=self.baseline.run_id)
        return results.select_related("evalset").first()

    def _why_not(self, entry: Entry) -> str:
        if self._base is None:
            return "There is no baseline."
        if self.is_baseline(entry):
            return "It is the baseline."
        return "" if version_of(self._base.judges) == entry.judge else "Another version judged it."

    def _gates(self, entries: Sequence[Entry]) -> Mapping[Any, Gate]:
        return gates_against(self._base, [entry.evaluation for entry in entries]) if self._base and entries else {}


def history(*, evalset: EvalSet, query: Mapping[str, str] | None = None) -> History:
    """Every completed run on exactly these items that passes the filters in `query`. Invalid at one that cannot be."""
    asked = read_filters(query or {})
    entries = entries_of(evalset, asked.get("tag", ""))
    return History(evalset, passing(entries, asked), choices(evalset, entries))
