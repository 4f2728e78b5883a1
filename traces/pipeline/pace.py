"""How many rows a transaction takes, so that nobody waits for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 0.12  # that a transaction should take: less, and its own cost counts; more, and a slow moment is felt
LEAST, MOST = 100, 5000  # rows


class Pace:
    """The size of the next chunk, from the time that the last one took."""

    def __init__(self) -> None:
        self.rows = LEAST

    @contextmanager
    def over(self, rows: list) -> Iterator[None]:
        """Measures the transaction that stores or deletes `rows`; an empty list, filled meanwhile, counts as filled."""
        started = time.monotonic()
        yield
        if rows:
            wanted = len(rows) * SECONDS / max(time.monotonic() - started, 0.001)
            self.rows = round(min(max(wanted, LEAST), 2 * self.rows, MOST))
