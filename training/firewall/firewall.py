"""Which rows give away what a model will be asked: every row is checked against every item, and each finding is exact.

A row and an item are compared when they share a key (`keys`): the words of the prompt, all but one of them, an n-gram
that few have, a part of the answer, a generated problem. numpy dismisses the rows that share none, nearly all. What a
leak is, `evidence` decides on the texts themselves.

The work on a row is bounded (`item_index`): a key that very many items have tells little and is not looked up, and of
the items that a row shares keys with the CONFIRMED most like it are compared with it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from training.firewall.asked import KINDS, Asked, Leak
from training.firewall.common import nothing_is_common
from training.firewall.evidence import finding_of
from training.firewall.index import MAX_ITEMS
from training.firewall.item_index import Candidates, ItemIndex
from training.firewall.items import ItemTexts
from training.firewall.keys import IsCommon
from training.firewall.reading import RowReading, read_items

Rows = Sequence[Mapping[str, Any]]

ENTRIES = 2**23  # of an index: with its filters some 100 MB
CHUNK = 500  # items that are read together
BATCH = 2**19  # characters of items that are in memory together, and one row's more
STRENGTH = {kind: place for place, kind in enumerate(KINDS)}


class Firewall:
    """Items, ready to be compared with rows. `is_common` says of hashes of n-grams which ones tell nothing.

    It takes the items that fit into some 130 MB, 50 000 with their steps. Given an iterator, it leaves the rest in it;
    given anything else it raises ValueError when some are left. `find_leaks` does with any number.
    """

    def __init__(self, asked: Iterable[Asked], is_common: IsCommon = nothing_is_common):
        self._is_common = is_common
        self._index, self._texts = ItemIndex(is_common), ItemTexts()
        left = iter(asked)
        while not self._is_full() and (chunk := list(islice(left, CHUNK))):
            if new := self._texts.add(chunk):
                self._index.add(new)
        if left is not asked and next(left, None) is not None:
            raise ValueError(f"only {len(self)} items fit into one firewall; find_leaks takes any number")
        self._index.finish()
        self._texts.finish()

    def __len__(self) -> int:
        """Different items."""
        return len(self._texts)

    def check(self, rows: Rows) -> list[Leak]:
        """The leaks of some rows of a dataset, in the order of the rows; of a row's leaks the strongest first."""
        return [leak for batch in self._batches(self._index.candidates(rows)) for leak in self._leaks(rows, batch)]

    def _batches(self, candidates: Iterable[Candidates]) -> Iterator[list[Candidates]]:
        """Rows whose items are read together: that is done much faster for many, and must fit into memory."""
        batch: list[Candidates] = []
        size = 0
        for index, items in candidates:
            batch.append((index, items))
            size += sum(map(self._texts.size, items))
            if size >= BATCH:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _leaks(self, rows: Rows, batch: list[Candidates]) -> Iterator[Leak]:
        numbers = sorted({item for _, items in batch for item in items})
        readings = dict(
            zip(numbers, read_items([self._texts[number] for number in numbers], self._is_common), strict=True)
        )
        for index, items in batch:
            row = RowReading(rows[index])
            found = [(finding, item) for item in items if (finding := finding_of(row, readings[item]))]
            for finding, item in sorted(found, key=lambda one: (STRENGTH[one[0].kind], -one[0].similarity)):
                yield from (Leak(row.id, source, name, *finding) for source, name in self._texts.names(item))

    def _is_full(self) -> bool:
        return self._index.entries() >= ENTRIES or len(self) + CHUNK > MAX_ITEMS


def find_leaks(
    asked: Iterable[Asked], chunks: Callable[[], Iterable[Rows]], is_common: IsCommon = nothing_is_common
) -> Iterator[Leak]:
    """The leaks of all rows in memory that is bounded, however many items there are: `chunks` gives the rows again for
    every firewall that the items fill.
    """
    left = iter(asked)
    while len(firewall := Firewall(left, is_common)):
        for rows in chunks():
            yield from firewall.check(rows)
        del firewall  # before the next one is made
