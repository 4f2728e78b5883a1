"""What it takes to be asked again and again about a run that is under way: what changed, and when to ask next.

Each process remembers what it read and drew, so that most questions cost two rows and a few `stat` calls.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from threading import Lock
from typing import Any

from runs import series
from training.canonical import sha256_hex

LEAST, CROWDED = 2.0, 30.0  # seconds between two polls of a page at best, and where far too many watch
POLLS_A_SECOND = 20  # that a process answers, whoever asks
RUNS_KEPT, DRAWN_KEPT = 32, 64


class Figures:
    """The losses and newest points of a metrics file, as far as it was read."""

    def __init__(self) -> None:
        self.file: Hashable = None
        self.next = 0  # byte to read on from
        self.steps: dict[str, list[float]] = {"train": [], "valid": []}
        self.losses: dict[str, list[float | None]] = {"train": [], "valid": []}
        self.newest: dict[str, dict[str, Any]] = {}  # point by split
        self.peak_memory: int | None = None

    def add(self, points: Iterable[dict[str, Any]]) -> None:
        for point in points:
            if (split := point.get("split")) in self.steps:
                self.steps[split].append(point["step"])
                self.losses[split].append(point.get("loss"))  # last, so that no reader finds a loss without a step
                self.newest[split] = point
            self.peak_memory = max(self.peak_memory or 0, point.get("peak_memory_bytes") or 0) or None

    def line(self, split: str) -> tuple[list[float], list[float | None]]:
        """Steps and losses of a split."""
        count = len(self.losses[split])
        return self.steps[split][:count], self.losses[split][:count]


class _Place:
    """Where a value is kept, and who may make it."""

    def __init__(self) -> None:
        self.value: Any = None
        self.lock = Lock()


class Kept:
    """A few values by key, those used last; each made by one thread at a time, while others make others."""

    def __init__(self, most: int):
        self.most = most
        self._values: OrderedDict[Hashable, _Place] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[Any], Any]) -> Any:
        """What `make` answers when it is given the present value, or None where there is none."""
        with self._lock:
            place = self._values.setdefault(key, _Place())
            self._values.move_to_end(key)
            if len(self._values) > self.most:
                self._values.popitem(last=False)
        with place.lock:
            known, place.value = place.value, None  # what is half made when `make` fails is not kept
            place.value = made = make(known)
        return made


_figures, _drawn = Kept(RUNS_KEPT), Kept(DRAWN_KEPT)


def figures(path: Path) -> Figures:
    """The figures of a metrics file, of which only what is new is read."""
    return _figures.get(path, lambda known: _read_on(known or Figures(), path))


def _read_on(known: Figures, path: Path) -> Figures:
    file, more = _state(path)[:2], True
    if known.file != file:
        known = Figures()  # a run that is resumed writes its lines anew, into another file
    while more:
        lines, after, more, start = series.read_lines(path, known.next)
        if start != known.next:
            known = Figures()  # another file it is, though by the same number
        known.file, known.next = file, after
        known.add(series.parse_points(lines))
    return known


def drawn(key: Hashable, draw: Callable[[], bytes]) -> bytes:
    """What `draw` answers, drawn once however many ask for the same."""
    return _drawn.get(key, lambda known: known or draw())


def tag(*facts: object, files: Iterable[Path]) -> str:
    """A strong ETag: another one as soon as one of the facts or files is another."""
    return f'"{sha256_hex(repr((facts, [_state(file) for file in files])))[:32]}"'


class Crowd:
    """Who watches: the more there are, the longer each one waits, so that training is not slowed by its audience."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self.seen: dict[Hashable, float] = {}

    def wait(self, who: Hashable) -> float:
        """Seconds after which `who` may ask again."""
        now = self.seen[who] = self.clock()
        if len(self.seen) > POLLS_A_SECOND * LEAST:
            self.seen = {other: at for other, at in self.seen.copy().items() if now - at < 2 * CROWDED}
        return min(CROWDED, max(LEAST, len(self.seen) / POLLS_A_SECOND))


def _state(path: Path) -> tuple[int, int, int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0, 0, 0
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
