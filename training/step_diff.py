"""Two lists of steps beside each other: what each step of one has become in the other.

The alignment is a global one (Needleman and Wunsch 1970, "A general method applicable to the search for similarities in
the amino acid sequence of two proteins", J. Mol. Biol. 48:443-453): no other order of pairs has a larger sum of
likenesses. A pair of steps that say the same counts for two. Of others, the likeness is Dice's coefficient (Dice 1945,
"Measures of the amount of ecologic association between species", Ecology 26:297-302) of what they say: a number or a
sign counts double, a word once. A step that stands on both sides is paired with no other one; where the order does not
let it stand beside its twin, it has moved (as in Heckel 1978, "A technique for isolating differences between files",
CACM 21:264-268).

Two steps that differ in words alone are reworded: their signs are the same, and their numbers, in order where both
write a sum of as many. A step that has moved and changed is one dropped and one inserted.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from training.gists import Gist, gist_of

MAX_STEPS = 1000  # of one side; what comes behind them is not compared
MAX_READ = 64 * 1024  # characters of one side that are read for what they say: as many as an output has at most
ALIKE = 0.4  # the least likeness of two steps of which one has become the other
TWINS = 2.0  # what a pair that says the same counts: as much as any two others
NEARNESS = 1e-6  # tells apart alignments that are equally good: steps stay near their places

Kind = Literal["same", "reworded", "operator_changed", "number_changed", "moved", "dropped", "inserted"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Places = dict[int, int]  # of steps of the base in the other


class StepPair(NamedTuple):
    """What became of one step, and its places on both sides, from 0; None where it does not stand."""

    kind: Kind
    base: int | None
    other: int | None


class StepDiff(NamedTuple):
    """Every step of either side in exactly one pair, in the base's order, inserted ones where they came in.

    `left_out`: how many steps of base and of other stand behind MAX_STEPS.
    """

    pairs: list[StepPair]
    left_out: tuple[int, int] = (0, 0)

    @property
    def first_difference(self) -> int | None:
        """The index of the first pair that is more than reworded."""
        differing = (at for at, pair in enumerate(self.pairs) if pair.kind not in ("same", "reworded"))
        return next(differing, None)

    @property
    def counts(self) -> dict[Kind, int]:
        """How many pairs there are of each kind that occurs."""
        found = Counter(pair.kind for pair in self.pairs)
        return {kind: found[kind] for kind in KINDS if found[kind]}


def diff_steps(base: Sequence[str], other: Sequence[str]) -> StepDiff:
    """What became of each step. Asked the other way round, the answer is the same, seen from the other side."""
    left, right = _gists(base), _gists(other)
    aligned = _aligned(left, right)
    moved = _moved(left, right, aligned)
    swapped = _swapped(left, right, aligned, moved)
    in_place = {i: j for i, j in aligned.items() if i not in swapped}
    left_out = (max(0, len(base) - MAX_STEPS), max(0, len(other) - MAX_STEPS))
    return StepDiff(_in_order(left, right, in_place, moved | swapped), left_out)


def _gists(steps: Sequence[str]) -> list[Gist]:
    gists, unread = [], MAX_READ
    for text in steps[:MAX_STEPS]:
        gists.append(gist_of(text, unread))
        unread = max(0, unread - len(text))
    return gists


def _in_order(left: list[Gist], right: list[Gist], in_place: Places, moved: Places) -> list[StepPair]:
    """All pairs. Between two that stand in place, what the base has comes first, then what came into the other."""
    arrived = set(moved.values())
    pairs: list[StepPair] = []
    i = j = 0
    for a, b in [*sorted(in_place.items()), (len(left), len(right))]:
        pairs += [StepPair("moved" if at in moved else "dropped", at, moved.get(at)) for at in range(i, a)]
        pairs += [StepPair("inserted", None, at) for at in range(j, b) if at not in arrived]
        if a < len(left):
            pairs.append(StepPair(_kind(left[a], right[b]), a, b))
        i, j = a + 1, b + 1
    return pairs


def _kind(base: Gist, other: Gist) -> Kind:
    """What became of a step that stands in its place."""
    if base.sense == other.sense:
        return "same"
    if base.signs and other.signs and base.signs != other.signs:
        return "operator_changed"
    ordered = base.written and other.written and len(base.numbers) == len(other.numbers)
    same = base.numbers == other.numbers if ordered else set(base.numbers) == set(other.numbers)
    return "reworded" if same else "number_changed"


def _aligned(left: list[Gist], right: list[Gist]) -> Places:
    """Which steps stand beside each other. Of two sides always the same one goes first, whichever is called base."""
    if [gist.sense for gist in right] < [gist.sense for gist in left]:
        return {i: j for j, i in _aligned(right, left).items()}
    best = np.zeros((len(left) + 1, len(right) + 1))
    for i, gains in enumerate(_gains(left, right)):
        np.maximum(best[i, 1:], best[i, :-1] + gains, out=best[i + 1, 1:])
        np.maximum.accumulate(best[i + 1], out=best[i + 1])
    return _traced(best)


def _traced(best: np.ndarray) -> Places:
    """The pairs that the best sum is made of: a gap adds nothing, a pair always something."""
    i, j = (size - 1 for size in best.shape)
    found = {}
    while i and j:
        if best[i, j] == best[i, j - 1]:
            j -= 1
        elif best[i, j] == best[i - 1, j]:
            i -= 1
        else:
            i, j = i - 1, j - 1
            found[i] = j
    return found


def _gains(left: list[Gist], right: list[Gist]) -> np.ndarray:
    """float64 [left, right]: what each pair adds to the sum; 0 for two that are no pair."""
    alike = _likeness(left, right)
    alike[alike < ALIKE] = 0
    alike[~_without_twin(left, right)] = 0
    alike[:, ~_without_twin(right, left)] = 0
    for i, places in _twins(left, right).items():
        alike[i, places] = TWINS
    apart = np.abs(np.arange(len(left))[:, None] - np.arange(len(right)))
    return np.where(alike > 0, alike + NEARNESS / (1 + apart), 0)


def _likeness(left: list[Gist], right: list[Gist]) -> np.ndarray:
    """float64 [left, right]: Dice's coefficient of what each two steps say."""
    shared, where = np.zeros((len(left), len(right))), _by_piece(right)
    for (piece, weight), rows in _by_piece(left).items():
        if columns := where.get((piece, weight)):
            shared[np.ix_(rows, columns)] += weight
    sizes = [np.array([sum(gist.said.values()) for gist in side]) for side in (left, right)]
    return 2 * shared / np.maximum(1, sizes[0][:, None] + sizes[1])


def _by_piece(side: list[Gist]) -> dict[tuple, list[int]]:
    """The places of the steps that say each piece."""
    found = defaultdict(list)
    for place, gist in enumerate(side):
        for said in gist.said.items():
            found[said].append(place)
    return found


def _twins(left: list[Gist], right: list[Gist]) -> dict[int, list[int]]:
    """The places in `right` of steps that say the same as each of `left`."""
    places = _by_sense(right)
    return {i: places[gist.sense] for i, gist in enumerate(left) if gist.sense in places}


def _without_twin(side: list[Gist], opposite: list[Gist]) -> np.ndarray:
    """bool [side]: whether not every step that says this can have a twin on the opposite side."""
    ours, theirs = (Counter(gist.sense for gist in gists) for gists in (side, opposite))
    return np.array([ours[gist.sense] > theirs[gist.sense] for gist in side], bool)


def _moved(left: list[Gist], right: list[Gist], aligned: Places) -> Places:
    """Steps that stand on both sides and were not aligned: the first with the first that says the same, and so on."""
    taken = set(aligned.values())
    there = _by_sense(right, [j for j in range(len(right)) if j not in taken])
    here = _by_sense(left, [i for i in range(len(left)) if i not in aligned])
    return {i: j for sense, places in here.items() for i, j in zip(places, there.get(sense, ()), strict=False)}


def _swapped(left: list[Gist], right: list[Gist], aligned: Places, moved: Places) -> Places:
    """Of two neighbours that changed places, the alignment leaves one in place: it has moved as much as the other."""
    beside: dict[int, list[int]] = defaultdict(list)
    for i, j in moved.items():
        for k, place in ((i + 1, j - 1), (i - 1, j + 1)):
            if k in aligned and aligned[k] == place and left[k].sense == right[place].sense:
                beside[k].append(i)
    return {k: aligned[k] for k, neighbours in beside.items() if len(neighbours) == 1}


def _by_sense(side: list[Gist], places: Sequence[int] | None = None) -> dict[str, list[int]]:
    found = defaultdict(list)
    for place in range(len(side)) if places is None else places:
        found[side[place].sense].append(place)
    return found
