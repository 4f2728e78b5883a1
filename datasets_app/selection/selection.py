"""What a request takes, in a form that a million traces fit into."""

from collections.abc import Iterable, Iterator
from typing import Any, Self
from uuid import UUID

import numpy as np

CHUNK = 500  # traces at a time
BYTES = 16  # of an id


class Selection:
    """The ids of the traces that a request takes, in the manifest's order, at 16 bytes a trace.

    It has a length, gives its ids as UUIDs when it is iterated over, and in lists of some hundred by `chunks`. `report`
    says of each stratum or part how many rows it has, how many were asked of it and taken; it is empty otherwise.
    """

    def __init__(self, ids: bytes | bytearray, report: list[dict[str, Any]] | None = None):
        self._ids = ids
        self.report = report or []

    @classmethod
    def of(cls, ids: Iterable[UUID]) -> Self:
        """The selection of these traces in this order."""
        return cls(b"".join(trace_id.bytes for trace_id in ids))

    def __len__(self) -> int:
        return len(self._ids) // BYTES

    def __iter__(self) -> Iterator[UUID]:
        for start in range(0, len(self._ids), BYTES):
            yield UUID(bytes=bytes(self._ids[start : start + BYTES]))

    def __eq__(self, other: object) -> bool:
        """The same traces in the same order."""
        return isinstance(other, Selection) and self._ids == other._ids

    __hash__ = None  # type: ignore[assignment]

    def chunks(self, size: int = CHUNK) -> Iterator[list[UUID]]:
        """The ids in lists of `size`, the last perhaps shorter."""
        for start in range(0, len(self._ids), size * BYTES):
            yield list(Selection(self._ids[start : start + size * BYTES]))

    def sample(self, most: int) -> list[UUID]:
        """At most so many of the ids, evenly spread over the order."""
        size = len(self)
        places = range(size) if size <= most else (place * size // most for place in range(most))
        return [UUID(bytes=bytes(self._ids[place * BYTES : (place + 1) * BYTES])) for place in places]

    def count_beside(self, other: Self) -> int:
        """How many of the traces `other` does not have."""
        mine, others = (np.frombuffer(selection._ids, dtype=f"S{BYTES}") for selection in (self, other))
        return int(np.isin(mine, others, assume_unique=True, invert=True).sum())
