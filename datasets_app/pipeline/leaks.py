"""What the train rows of a dataset give away of what is asked elsewhere, told as a gate's result is."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from datasets_app.gates import CONTAMINATION, Finding
from datasets_app.gates.gate import Findings, record
from datasets_app.models import Dataset
from datasets_app.pipeline.asked import Source, sources
from datasets_app.pipeline.progress import Progress
from datasets_app.rows import read_chunks
from training.firewall import Asked, CommonGrams, Leak, find_leaks

RULE = "no train row gives away what is asked elsewhere"
MOST_NAMED = 10_000  # items of a source that a result names; the others are counted


class Leaks:
    """The leaks of a dataset. All rows are counted, the first ones kept with their reasons."""

    def __init__(self, held_against: Sequence[Source]):
        self._sources = held_against
        self._items: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._rows: set[str] = set()
        self._given_away: defaultdict[str, dict[str, None]] = defaultdict(dict)  # items by source, in order of finding
        self._found = Findings()

    @property
    def row_count(self) -> int:
        """Train rows that give something away."""
        return len(self._rows)

    def asked(self) -> Iterator[Asked]:
        """Every item that is held against the rows."""
        for source in self._sources:
            for asked in source.asked():
                self._items[source.name] += 1
                yield asked

    def add(self, leak: Leak) -> None:
        self._rows.add(leak.row)
        self._kinds[leak.kind] += 1
        self._given_away[leak.source][leak.item] = None
        self._found.add([_finding(leak)])

    def result(self, action: str, checked: int) -> dict[str, Any]:
        """As `Gate.result`, with how many leaks there are of each kind, what was held against the rows, and which of
        its items they give away.
        """
        kept = self._found.kept
        return record(CONTAMINATION, RULE, action, checked=checked, count=self.row_count, findings=kept) | {
            "kinds": dict(self._kinds.most_common()),
            "against": [self._against(source) for source in self._sources],
        }

    def _against(self, source: Source) -> dict[str, Any]:
        given_away = self._given_away.get(source.name, {})
        return {
            "source": source.name,
            "evalset": source.evalset,
            "items": self._items[source.name],
            "given_away": list(islice(given_away, MOST_NAMED)),
            "given_away_count": len(given_away),
        }


def leaks_of(dataset: Dataset, path: Path, train_rows: int, common: CommonGrams, progress: Progress) -> Leaks:
    """Holds everything that is asked against the train rows in the file `path`; `common` are n-grams that tell nothing.

    What is asked may be more than memory holds: then the rows are read once for each part of it.
    """
    leaks = Leaks(sources(dataset, path))

    def chunks() -> Iterator[list[dict[str, Any]]]:
        progress.begin("looking for leaks", train_rows)
        done = 0
        for rows in read_chunks(path, "train"):
            yield rows
            done += len(rows)
            progress.tell(done)

    for leak in find_leaks(leaks.asked(), chunks, common):
        leaks.add(leak)
    return leaks


def _finding(leak: Leak) -> Finding:
    details = {"kind": leak.kind, "source": leak.source, "item": leak.item, "similarity": round(leak.similarity, 4)}
    return Finding(leak.row, leak.why, details)
