"""The ledger of a run: what every update made of every row in it, written while it trains and read while it grows.

`ledger/rows.jsonl` names the rows that are taught, in the order of their numbers; `ledger/losses.bin` has one record a
row and update, 16 bytes each, in the order of the updates. See docs/ledger.md.
"""

import json
import mmap
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from training.canonical import canonical_json, sha256_hex
from training.files import append_bytes, fsync_file, write_lines_atomic
from training.packing import Batch
from training.renderers import Row

LEDGER, ROWS, LOSSES = "ledger", "rows.jsonl", "losses.bin"
LOOK = np.dtype([("step", "<u4"), ("row", "<u4"), ("tokens", "<u4"), ("loss", "<f4")])
NEWLINE, PIECE = ord("\n"), 2**20
SPREAD = 1.4826  # times the median absolute deviation: a standard deviation, were the losses normally distributed
FAR = 3  # standard deviations


def write_rows(run_dir: Path, rows: Iterable[Row]) -> None:
    """Names the rows of a run in the order of their numbers, each with the SHA-256 of its canonical JSON."""
    named = ({"id": str(row["id"]), "sha256": row_sha256(row)} for row in rows)
    write_lines_atomic(run_dir / LEDGER / ROWS, (canonical_json(row) + "\n" for row in named))


def row_sha256(row: Row) -> str:
    return sha256_hex(canonical_json(row))


def looks_at(step: int, batch: Batch, rows: Sequence[Sequence[int]], losses: np.ndarray) -> np.ndarray:
    """The records of one update: LOOK, one a row that stands in the batch.

    `rows` are their numbers by sequence, in order of their segments; `losses` float32 [B, L] the loss at every place,
    0 where none is trained. A record's loss is the mean of the row's trained tokens.
    """
    most = 1 + max(len(group) for group in rows)
    places = (batch.segments + most * np.arange(len(rows))[:, None]).ravel()
    keys = [most * line + segment for line, group in enumerate(rows) for segment in range(1, len(group) + 1)]
    tokens = np.bincount(places, weights=batch.loss_mask.ravel(), minlength=most * len(rows))[keys]
    sums = np.bincount(places, weights=losses[: len(rows)].ravel(), minlength=most * len(rows))[keys]
    looks = np.empty(len(keys), LOOK)
    looks["step"], looks["row"] = step, [row for group in rows for row in group]
    looks["tokens"], looks["loss"] = tokens, sums / np.maximum(tokens, 1)
    return looks


def append_looks(run_dir: Path, looks: np.ndarray) -> None:
    """Adds the records of an update. Raises OSError when the disk is full."""
    append_bytes(run_dir / LEDGER / LOSSES, looks.tobytes())


def forget_looks_after(step: int, run_dir: Path) -> None:
    """Drops the records of updates that are about to be done again, and a torn last one."""
    path = run_dir / LEDGER / LOSSES
    if path.exists():
        kept = bisect_right(_looks(path)["step"], step) * LOOK.itemsize
        if kept < path.stat().st_size:  # anew, not cut: whoever has the old file mapped may read it to its end
            write_lines_atomic(path, _bytes(path, kept))


def flush_looks(run_dir: Path) -> None:
    """Makes the records survive a power loss."""
    if (run_dir / LEDGER / LOSSES).exists():
        fsync_file(run_dir / LEDGER / LOSSES)


class Fate(NamedTuple):
    """What became of a row: how often it was looked at, its lowest loss, its last one and the update of that."""

    row: int
    looks: int
    best: float
    last: float
    step: int


class Learning(NamedTuple):
    """How a row was learned: its looks, its first and its last loss, and whether it was ever and is still learned."""

    looks: int
    first: float
    last: float
    verdict: str  # "learned", "forgotten" or "never learned", as the lists of the ledger say


@dataclass(frozen=True)
class Ledger:
    """The ledger of a run as far as it is written: records in order of their steps, 0 to many a row."""

    looks: np.ndarray  # LOOK, in a file: only what is asked for is read
    names: Path  # rows.jsonl

    def steps(self) -> np.ndarray:
        """The steps recorded, ascending."""
        steps = np.asarray(self.looks["step"])
        return steps[np.flatnonzero(np.diff(steps, prepend=-1))]

    def nearest(self, step: int) -> int:
        """The first step recorded from `step` on, else the last one."""
        steps = self.looks["step"]
        return int(steps[min(bisect_left(steps, step), len(steps) - 1)])

    def neighbours(self, step: int) -> tuple[int | None, int | None]:
        """The steps recorded before and after `step`."""
        steps = self.looks["step"]
        first, end = bisect_left(steps, step), bisect_right(steps, step)
        return int(steps[first - 1]) if first else None, int(steps[end]) if end < len(steps) else None

    def at(self, step: int) -> np.ndarray:
        """The records of a step, the highest loss first (one that is no number before all)."""
        steps = self.looks["step"]
        return _worst_first(self.looks[bisect_left(steps, step) : bisect_right(steps, step)])

    def history(self, row: int) -> np.ndarray:
        """The records of a row over time."""
        return self.looks[self.looks["row"] == row]

    def learning(self, rows: Sequence[int]) -> dict[int, Learning]:
        """How each of these rows was learned; those without a look are left out."""
        looks = self.looks[np.isin(self.looks["row"], rows)]
        losses = {row: looks["loss"][looks["row"] == row] for row in rows}
        return {row: self._learning(seen) for row, seen in losses.items() if len(seen)}

    @cached_property
    def threshold(self) -> float:
        """What most rows reached: the median and three robust standard deviations of the rows' last losses."""
        last = self._fates.last[np.isfinite(self._fates.last)]
        if not len(last):
            return float("nan")
        middle = np.median(last)
        return float(middle + FAR * SPREAD * np.median(np.abs(last - middle)))

    @property
    def looks_a_row(self) -> float:
        """How often a row was looked at, on average of those that were."""
        return len(self.looks) / int(np.count_nonzero(self._fates.looks))

    def never_learned(self) -> list[Fate]:
        """Rows no look at which was as low as the threshold, the highest last loss first."""
        return self._fates.where(~(self._fates.best <= self.threshold))

    def forgotten(self) -> list[Fate]:
        """Rows that were at or under the threshold once and were over it at their last look, the highest first.

        Forgetting events (Toneva et al. 2019, arXiv:1812.05159), of losses instead of right answers.
        """
        reached, kept = self._fates.best <= self.threshold, self._fates.last <= self.threshold
        return self._fates.where(reached & ~kept)

    def id_of(self, numbers: Iterable[int]) -> list[str]:
        """The ids of rows by number."""
        with _mapped(self.names) as names:
            starts = np.concatenate(([0], np.flatnonzero(np.frombuffer(names, np.uint8) == NEWLINE) + 1))
            lines = [names[starts[number] : starts[number + 1]] for number in numbers]
        return [json.loads(line)["id"] for line in lines]

    def number_of(self, row_id: str) -> int | None:
        """The number of the row with this id; None when it was not taught."""
        named = canonical_json({"id": row_id})[:-1].encode() + b","  # no text holds this: its quotes are escaped there
        with _mapped(self.names) as names:
            place = names.find(named)
            return None if place < 0 else int(np.count_nonzero(np.frombuffer(names[:place], np.uint8) == NEWLINE))

    def _learning(self, losses: np.ndarray) -> Learning:
        """How a row with these losses was learned."""
        reached, kept = bool((losses <= self.threshold).any()), bool(losses[-1] <= self.threshold)
        verdict = "learned" if kept else "forgotten" if reached else "never learned"
        return Learning(len(losses), float(losses[0]), float(losses[-1]), verdict)

    @cached_property
    def _fates(self) -> "_Fates":
        return _Fates.of(self.looks)


def read_ledger(run_dir: Path) -> Ledger | None:
    """The ledger that a run has written so far; None before its first update, and of an engine that keeps none."""
    names, losses = run_dir / LEDGER / ROWS, run_dir / LEDGER / LOSSES
    try:
        looks = _looks(losses)
    except FileNotFoundError:
        return None
    return Ledger(looks, names) if len(looks) and names.exists() else None


@dataclass(frozen=True)
class _Fates:
    """The fates of all rows, by number: int64, float32. Rows without a look have 0 of them."""

    looks: np.ndarray
    best: np.ndarray
    last: np.ndarray
    step: np.ndarray

    @classmethod
    def of(cls, looks: np.ndarray) -> "_Fates":
        rows, losses = np.asarray(looks["row"]), np.asarray(looks["loss"])
        counts = np.bincount(rows)
        best = np.full(len(counts), np.inf, np.float32)
        np.fmin.at(best, rows, losses)
        last, step = np.full(len(counts), np.nan, np.float32), np.zeros(len(counts), np.int64)
        last[rows], step[rows] = losses, looks["step"]  # of several, numpy leaves the last
        return cls(counts, best, last, step)

    def where(self, chosen: np.ndarray) -> list[Fate]:
        """Those of the looked-at rows that are `chosen`, the highest last loss first."""
        rows = np.flatnonzero(chosen & (self.looks > 0))
        rows = rows[np.argsort(-np.nan_to_num(self.last[rows], nan=np.inf), kind="stable")]
        columns = (rows, self.looks[rows], self.best[rows], self.last[rows], self.step[rows])
        return [Fate(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]


def _worst_first(looks: np.ndarray) -> np.ndarray:
    return looks[np.argsort(-np.nan_to_num(looks["loss"], nan=np.inf), kind="stable")]


def _looks(path: Path) -> np.ndarray:
    """The whole records of a file that may be growing, without a torn last one."""
    count = path.stat().st_size // LOOK.itemsize
    return np.memmap(path, LOOK, "r", shape=(count,)) if count else np.empty(0, LOOK)


def _bytes(path: Path, count: int) -> Iterator[bytes]:
    """The first `count` bytes of a file, in pieces."""
    with path.open("rb") as file:
        for start in range(0, count, PIECE):
            yield file.read(min(PIECE, count - start))


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
