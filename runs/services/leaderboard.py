"""All runs on one evalset, ranked."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from datasets_app.models import EvalSet
from runs.entries import JUDGE, Entry, choices, entries_of, passing, read_filters
from runs.models import Baseline, Run
from runs.services.clean_scores import Exposure, exposures
from training.judges import find_judge


class Place(NamedTuple):
    """An entry's rank among those that the same version judged: one more than the number of runs surely better."""

    rank: int
    tied: bool  # whether another has the same rank
    entry: Entry


@dataclass(frozen=True)
class Standing:
    """A run's place with all that is shown of it."""

    rank: int
    tied: bool
    run: Run
    entry: Entry
    exposure: Exposure
    is_baseline: bool

    def to_dict(self) -> dict[str, Any]:
        entry = self.entry
        return {
            "rank": self.rank,
            "tied": self.tied,
            "right": entry.right,
            "scored": entry.scored,
            "score": entry.score,
            "interval": entry.interval,
            "judges": entry.judges,
            "contamination": self.exposure.to_dict(),
            "baseline": self.is_baseline,
            **self.run.to_dict({}),
        }


class Leaderboard:
    """Standings, best first; those that another version judged come after, with ranks of their own.

    A slice reads what is shown of the runs in it, at the same few queries for any number.
    """

    def __init__(self, evalset: EvalSet, entries: Sequence[Entry], choices: Mapping[str, list[str]]):
        self.evalset, self.choices = evalset, choices
        self._places = [place for group in _by_judge(_newest(entries)) for place in _ranked(group)]

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Standing]:
        return iter(self[:])

    def __getitem__(self, part: slice) -> list[Standing]:
        places = self._places[part]
        runs = Run.objects.with_tags().in_bulk([place.entry.run for place in places])
        places = [place for place in places if place.entry.run in runs]  # but for one deleted this very moment
        datasets = {run.dataset_id: run.dataset for run in runs.values()}
        exposed = exposures(self.evalset, [place.entry for place in places], datasets)
        baseline = Baseline.objects.of(self.evalset)
        return [
            Standing(
                rank, tied, runs[entry.run], entry, exposed[entry.run], bool(baseline and baseline.run_id == entry.run)
            )
            for rank, tied, entry in places
        ]


def leaderboard(*, evalset: EvalSet, query: Mapping[str, str] | None = None) -> Leaderboard:
    """Completed runs on exactly these items that pass the filters in `query`, the newest of each dataset, engine and
    config. Raises Invalid at a filter that cannot be.

    A run is surely better when its whole interval lies above the other's: intervals that overlap are a tie. Scores of
    different versions of the judge are not ranked together.
    """
    asked = read_filters(query or {})
    entries = entries_of(evalset, asked.get("tag", ""))
    return Leaderboard(evalset, passing(entries, asked), choices(evalset, entries))


def _newest(entries: Sequence[Entry]) -> list[Entry]:
    """Of each dataset, engine and config the first, which is the newest: not the best."""
    found: dict[tuple, Entry] = {}
    for entry in entries:
        found.setdefault((entry.dataset, entry.engine, entry.config_sha256), entry)
    return list(found.values())


def _by_judge(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Those that today's version judged, then those of the other versions, the one used last first."""
    groups: dict[str, list[Entry]] = {find_judge(JUDGE).version: []}
    for entry in entries:
        groups.setdefault(entry.judge, []).append(entry)
    return list(groups.values())


def _ranked(entries: Sequence[Entry]) -> list[Place]:
    ordered = sorted(entries, key=lambda entry: -entry.score)
    lows = sorted(entry.interval[0] for entry in ordered)
    ranks = [1 + len(lows) - bisect_right(lows, entry.interval[1]) for entry in ordered]
    sharing = Counter(ranks)
    return [Place(rank, sharing[rank] > 1, entry) for rank, entry in zip(ranks, ordered, strict=True)]
