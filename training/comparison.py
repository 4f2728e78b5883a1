"""Two examinations on the same items, item by item."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from training.errors import Fault, Invalid
from training.json_rules import MAX_FAULTS, place
from training.result_rows import ResultRow
from training.statistics import mcnemar_exact_p, paired_difference_interval, wilson_interval

QUESTION = ("prompt", "expected_answer")  # what must be equal for two rows of one id to be comparable

Pair = tuple[ResultRow, ResultRow]  # one item in the base and in the other


@dataclass(frozen=True)
class Change:
    """An item judged right in one examination only: in `other` when it was won, in `base` when it was lost."""

    won: bool
    base: ResultRow
    other: ResultRow


@dataclass(frozen=True)
class Comparison:
    """Counts of items by their two judgements; `skipped` ones, unjudged in either, enter no other figure.

    `difference` is the share right in the other minus the share right in the base, `interval` its 95 % interval,
    `p_value` McNemar's exact one.
    """

    won: int
    lost: int
    kept_right: int
    kept_wrong: int
    skipped: int
    p_value: float
    difference: float
    interval: tuple[float, float]
    changed: list[Change]

    @property
    def n(self) -> int:
        """Items judged in both."""
        return self.won + self.lost + self.kept_right + self.kept_wrong

    def to_dict(self) -> dict:
        """The figures for JSON, without the changed items."""
        figures = {name: value for name, value in vars(self).items() if name != "changed"}
        return figures | {"interval": list(self.interval)}


def compare(base_rows: Sequence[ResultRow], other_rows: Sequence[ResultRow]) -> Comparison:
    """Counts the pairs by how they were judged; raises Invalid unless both answer exactly the same questions."""
    pairs = paired(base_rows, other_rows)
    judged = [pair for pair in pairs if is_judged(pair)]
    changed = [
        Change(after["correct"], before, after) for before, after in judged if before["correct"] != after["correct"]
    ]
    won = sum(change.won for change in changed)
    lost = len(changed) - won
    kept_right = sum(before["correct"] and after["correct"] for before, after in judged)
    counts = {"won": won, "lost": lost, "kept_right": kept_right}
    counts |= {"kept_wrong": len(judged) - len(changed) - kept_right, "skipped": len(pairs) - len(judged)}
    return of_counts(counts, changed)


def of_counts(counts: Mapping[str, int], changed: Sequence[Change] = ()) -> Comparison:
    """What the five counts of a comparison amount to; `changed` may be left out where nobody reads the rows."""
    won, lost = counts["won"], counts["lost"]
    n = won + lost + counts["kept_right"] + counts["kept_wrong"]
    return Comparison(
        **counts,
        p_value=mcnemar_exact_p(won, lost),
        difference=(won - lost) / n if n else 0.0,
        interval=paired_difference_interval(won, lost, n),
        changed=list(changed),
    )


def paired(base_rows: Sequence[ResultRow], other_rows: Sequence[ResultRow]) -> list[Pair]:
    """The rows by id, in the base's order; raises Invalid unless both answer exactly the same questions."""
    base, other = _by_id(base_rows, "first"), _by_id(other_rows, "second")
    if faults := list(islice(_differences(base, other), MAX_FAULTS)):
        raise Invalid(faults)
    return [(row, other[key]) for key, row in base.items()]


def is_judged(pair: Pair) -> bool:
    """Whether neither of the two was skipped."""
    return all(row["correct"] is not None for row in pair)


def verdict(comparison: Comparison) -> str:
    """The comparison in one finished sentence."""
    n, right = comparison.n, comparison.won + comparison.kept_right
    if n == 0:
        return "No item was judged in both examinations, so nothing can be said."
    low, high = wilson_interval(right, n)
    return (
        f"Right on {right} of {n} ({100 * right / n:.1f} %, {100 * low:.1f}–{100 * high:.1f}), "
        f"from {comparison.lost + comparison.kept_right} before: "
        f"{comparison.won} won, {comparison.lost} lost, {p_text(comparison.p_value)}."
    )


def p_text(p_value: float) -> str:
    """`p = 0.0213`, and `p < 0.0001` below what four places show."""
    return "p < 0.0001" if p_value < 0.0001 else f"p = {p_value:.4f}"


def _by_id(rows: Sequence[ResultRow], name: str) -> dict[str, ResultRow]:
    found = {row["id"]: row for row in rows}
    if len(found) < len(rows):
        msg = f"{len(rows) - len(found)} of the {name} results share their id with another"
        raise Invalid(Fault(("items",), msg, "duplicate_record"))
    return found


def _differences(base: Mapping[str, ResultRow], other: Mapping[str, ResultRow]) -> Iterator[Fault]:
    for key in sorted(base.keys() ^ other.keys()):
        yield _difference(key, f"is among the {'first' if key in base else 'second'} results only")
    for key in sorted(base.keys() & other.keys()):
        for name in QUESTION:
            if base[key][name] != other[key][name]:
                yield _difference(key, f"differs in its {name}")


def _difference(key: str, msg: str) -> Fault:
    return Fault(("items", place(key)), f"{msg}; only answers to the same items compare", "items_differ")
