"""A run's checkpoints on the same items: which one was best, how far that can be believed, what was learned and
forgotten on the way (docs/timelapse.md).

Items are told apart by any key. Which ones were skipped does not change from checkpoint to checkpoint: that follows
from the prompt and the tokenizer.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np

from training.comparison import p_text
from training.statistics import mcnemar_exact_p, wilson_interval

DRAWS, SEED = 1000, 0  # of the bootstrap
AT_ONCE = 2**20  # numbers drawn at once
SURE = 0.05


@dataclass(frozen=True)
class Exam:
    """What one checkpoint got right of the items that were judged."""

    step: int
    right: frozenset[Hashable]
    n_scored: int
    loss: float | None = None  # mean over the references

    @property
    def share(self) -> float | None:
        return len(self.right) / self.n_scored if self.n_scored else None

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(len(self.right), self.n_scored)


@dataclass(frozen=True)
class Best:
    """The checkpoint chosen by its answers, beside the last one.

    `p_adjusted` is McNemar's exact p of the two, times the number of checkpoints that could have been chosen instead
    of the last one (Bonferroni): the largest of many differences is easily large.
    """

    chosen: Exam
    last: Exam
    won: int  # right at the chosen one and wrong at the last
    lost: int  # the other way round
    p_value: float
    p_adjusted: float

    @property
    def is_last(self) -> bool:
        return self.chosen == self.last

    @property
    def told_apart(self) -> bool:
        """Whether chance does not explain that it is better than the last one."""
        return self.p_adjusted < SURE

    @property
    def sentence(self) -> str:
        """The choice in finished sentences."""
        words = f"Step {self.chosen.step:,} is best, right on {len(self.chosen.right)} of {self.chosen.n_scored}"
        if self.is_last:
            return f"{words}; it is the last."
        last = f"the last, step {self.last.step:,}, is right on {len(self.last.right)}"
        if self.told_apart:
            return f"{words}; {last}. Chance does not explain the difference ({self._p})."
        return f"{words}; {last}. Chance could explain the difference ({self._p}), so the last may be as good."

    @property
    def _p(self) -> str:
        return f"{p_text(self.p_adjusted)} with the choice among several accounted for"

    def to_dict(self) -> dict[str, Any]:
        names = ("won", "lost", "p_value", "p_adjusted", "told_apart")
        steps = {"checkpoint_step": self.chosen.step, "last_step": self.last.step}
        return steps | {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Change:
    """What differs at a checkpoint from the one before: items that are right now, and items that no longer are."""

    exam: Exam
    won: frozenset[Hashable] = frozenset()
    lost: frozenset[Hashable] = frozenset()


def summary(exams: Sequence[Exam]) -> dict[str, Any]:
    """What eval.json says of all checkpoints together: `best_step` and `timelapse`."""
    best = best_of(exams)
    steps = [
        {
            "checkpoint_step": change.exam.step,
            "correct": len(change.exam.right),
            "n_scored": change.exam.n_scored,
            "answer_correctness": change.exam.share,
            "interval": list(change.exam.interval),
            "loss": change.exam.loss,
            "won": len(change.won),
            "lost": len(change.lost),
        }
        for change in changes(exams)
    ]
    gone = [{"id": key, "last_right_step": step} for key, step in forgotten(exams).items()]
    chosen = best.to_dict() | {"expected_correctness": expected_share(exams)}
    return {"best_step": best.chosen.step, "timelapse": {"steps": steps, "best": chosen, "forgotten": gone}}


def best_of(exams: Sequence[Exam]) -> Best:
    """The checkpoint with the most right answers, of equal ones that with the lower loss, then the earlier one.

    `exams` are at least one, in the order of their steps.
    """
    chosen, last = _in_order_of_choice(exams)[0], exams[-1]
    won, lost = len(chosen.right - last.right), len(last.right - chosen.right)
    p_value = mcnemar_exact_p(won, lost)
    return Best(
        chosen=chosen,
        last=last,
        won=won,
        lost=lost,
        p_value=p_value,
        p_adjusted=min(1.0, p_value * max(1, len(exams) - 1)),
    )


def changes(exams: Sequence[Exam]) -> list[Change]:
    """Each checkpoint beside the one before it; the first has none."""
    found = [Change(after, after.right - before.right, before.right - after.right) for before, after in pairwise(exams)]
    return [Change(exam) for exam in exams[:1]] + found


def forgotten(exams: Sequence[Exam]) -> dict[Hashable, int]:
    """The items that were right at some checkpoint and are wrong at the last, each with the newest step at which it
    was right; those forgotten latest come first."""
    steps = {key: exam.step for exam in exams[:-1] for key in exam.right}
    gone = {key: step for key, step in steps.items() if key not in exams[-1].right}
    return dict(sorted(gone.items(), key=lambda pair: (-pair[1], str(pair[0]))))


def expected_share(exams: Sequence[Exam]) -> float | None:
    """The share right to expect of the chosen checkpoint on items that had no part in the choice, which flatters it on
    those that had; None where nothing was judged.

    The choice is made again on items drawn with replacement, and its share counted on those that were not drawn:
    Tsamardinos, Greasidou and Borboudakis (2018), "Bootstrapping the out-of-sample predictions for efficient and
    accurate cross-validation", Machine Learning 107:1895-1922. A choice made on fewer items is the worse one, so this
    errs on the careful side.
    """
    n = exams[0].n_scored
    if n == 0:
        return None
    ordered = _in_order_of_choice(exams)
    if len(ordered) == 1 or n == 1:
        return len(ordered[0].right) / n
    right, shares = _matrix(ordered, n), []
    for draws in _drawn(n):
        chosen = (draws @ right).argmax(axis=1)  # of equal ones the first
        left_out = (draws == 0).astype(np.float64)
        counts = left_out.sum(axis=1)
        sums = (left_out @ right)[np.arange(len(draws)), chosen]
        shares.append(sums[counts > 0] / counts[counts > 0])
    return float(np.concatenate(shares).mean())


def _in_order_of_choice(exams: Iterable[Exam]) -> list[Exam]:
    """The chosen one first. More right answers first; ties as `best_of` says."""
    return sorted(exams, key=lambda exam: (-len(exam.right), inf if exam.loss is None else exam.loss, exam.step))


def _matrix(exams: Sequence[Exam], n: int) -> np.ndarray:
    """Whether each of `n` items is right [n, exams]; a draw that leaves several equal takes the lower loss, then the
    earlier step, as the choice among all items does."""
    keys = {key: row for row, key in enumerate(sorted(set().union(*(exam.right for exam in exams)), key=str))}
    right = np.zeros((n, len(exams)))
    for column, exam in enumerate(sorted(exams, key=lambda exam: (inf if exam.loss is None else exam.loss, exam.step))):
        right[[keys[key] for key in exam.right], column] = 1
    return right


def _drawn(n: int) -> Iterable[np.ndarray]:
    """How often each of `n` items was drawn [some draws, n], DRAWS times in all, the same every time."""
    random, size = np.random.default_rng(SEED), max(1, AT_ONCE // n)
    for first in range(0, DRAWS, size):
        drawn = random.integers(n, size=(min(size, DRAWS - first), n))
        yield np.stack([np.bincount(row, minlength=n) for row in drawn]).astype(np.float64)
