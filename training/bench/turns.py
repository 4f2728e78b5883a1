"""A figure is a ratio of two things that took turns, A B A B …; this is where turns are taken and rows made."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any, Protocol, Self

from training.bench.bars import BARS
from training.bench.wire import Absent, Round

OURS = "ours"
SAME_CURVE = 1e-4  # loss curves that stay this close come from the same function


class Starter(Protocol):
    """Whoever takes part: `round` is timed, what is done on entering is not. Both may raise Absent."""

    versions: dict[str, str]

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def round(self) -> Round: ...


@dataclass(frozen=True)
class Row:
    """One comparison: medians in `unit`, `ratio` = ours / theirs, whether both computed the same, the bar.

    Of rates more is better, of seconds and bytes less. A ratio of None has a `reason`.
    """

    work: str
    peer: str
    unit: str
    ours: float | None
    theirs: float | None
    ratio: float | None
    bar: str = ""
    same: str | None = None
    reason: str | None = None


@dataclass
class Turns:
    """The rounds of each who took part, and why the others did not."""

    rounds: dict[str, list[Round]]
    absent: dict[str, str]
    warm_ups: dict[str, Round] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def all_of(self, name: str) -> list[Round]:
        """What came out from the very beginning."""
        return [*([self.warm_ups[name]] if name in self.warm_ups else []), *self.rounds[name]]


def take_turns(starters: Mapping[str, Starter], rounds: int, *, warm_up: bool = True) -> Turns:
    """All get ready, do one round that does not count (it warms up: compiles), and then `rounds` in turn.

    Whoever breaks down is left out from there on, and the others go on.
    """
    turns = Turns({}, {})
    with ExitStack() as stack:
        ready: dict[str, Starter] = {}

        def attempt(name: str, deed: Callable[[], Any]) -> Any:
            try:
                return deed()
            except Absent as absent:
                turns.absent[name] = str(absent)
                turns.rounds.pop(name, None)
                ready.pop(name, None)

        for name, starter in starters.items():
            if attempt(name, partial(stack.enter_context, starter)):
                ready[name] = starter
                turns.versions |= starter.versions
                if warm_up and (done := attempt(name, starter.round)):
                    turns.warm_ups[name] = done
        for _ in range(rounds):
            for name, starter in list(ready.items()):
                if done := attempt(name, starter.round):
                    turns.rounds.setdefault(name, []).append(done)
    return turns


def rate(done: Round) -> float:
    return done["done"] / done["seconds"]


def gibibytes(done: Round) -> float:
    return done["peak_bytes"] / 2**30


def rows(
    work: str,
    unit: str,
    turns: Turns,
    measure: Callable[[Round], float] = rate,
    *,
    ours: str = OURS,
    peers: Sequence[str] | None = None,
) -> list[Row]:
    """A row for each of the `peers` (everybody else), in their order."""
    own = turns.rounds.get(ours)
    made = []
    for peer in peers or [name for name in (*turns.rounds, *turns.absent) if name != ours]:
        rounds = turns.rounds.get(peer)
        reason = turns.absent.get(peer) or turns.absent.get(ours)
        same = sameness(turns.all_of(ours), turns.all_of(peer)) if own and rounds else None
        made.append(row(work, peer, unit, middle(own, measure), middle(rounds, measure), same=same, reason=reason))
    return made


def middle(rounds: list[Round] | None, measure: Callable[[Round], float]) -> float | None:
    return median(map(measure, rounds)) if rounds else None


def row(
    work: str,
    peer: str,
    unit: str,
    ours: float | None,
    theirs: float | None,
    *,
    same: str | None = None,
    reason: str | None = None,
) -> Row:
    ratio = ours / theirs if ours is not None and theirs else None
    bar = BARS.get((work, peer))
    return Row(work, peer, unit, ours, theirs, ratio, bar.judged(ratio) if bar else "", same, reason)


def sameness(ours: list[Round], theirs: list[Round]) -> str | None:
    """A sentence on whether both computed the same; None where there is nothing to compare."""
    if "losses" in theirs[0]:
        pairs = zip(curve(ours), curve(theirs), strict=False)
        apart = max(abs(a - b) for a, b in pairs)
        return f"{'yes' if apart <= SAME_CURVE else 'NO'}: losses at most {apart:.0e} apart"
    if "tokens" in theirs[0]:
        both = list(zip(ours[0]["tokens"], theirs[0]["tokens"], strict=True))
        equal = sum(a == b for a, b in both)
        return f"{'yes' if equal == len(both) else 'NO'}: {equal} of {len(both)} answers equal"
    return None


def curve(rounds: list[Round]) -> list[float]:
    """The losses of all rounds in a row."""
    return [loss for done in rounds for loss in done["losses"]]
