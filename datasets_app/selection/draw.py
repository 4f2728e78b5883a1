"""Draws by keyed hash: a trace has its place by its content and the seed, whatever other traces there are."""

import numpy as np

from training.splits import order_key

DIGEST = 32  # bytes of an order key; 16 of an id follow
RECORD = np.dtype("S48")  # sorted as bytes
SPARE = 2_000  # records kept beyond the limit before the largest are let go


class Draw:
    """The first `limit` of the traces that are added, by order key and then id, at 48 bytes a trace."""

    def __init__(self, seed: int, limit: int):
        self.seed, self.limit = seed, limit
        self.seen = 0
        self._records = bytearray()
        self._full = (2 * limit + SPARE) * RECORD.itemsize

    def add(self, content_sha256: str, trace_id: bytes) -> None:
        self.seen += 1
        self._records += order_key(self.seed, content_sha256) + trace_id
        if len(self._records) >= self._full:
            self._records = bytearray(self.records())

    def records(self) -> np.ndarray:
        """The traces drawn, as `RECORD`s in order. They are sorted where they are: nothing can be added afterwards."""
        records = np.frombuffer(self._records, dtype=RECORD)
        records.sort()
        return records[: self.limit]


def ids_of(records: np.ndarray) -> bytes:
    """The ids of the records in their order, 16 bytes each."""
    return records.view(np.uint8).reshape(-1, RECORD.itemsize)[:, DIGEST:].tobytes()
