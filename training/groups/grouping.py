"""Which rows must share a split: those that ask the same, or nearly.

A row with a problem's own key is grouped by that key, and text never joins it. All others are grouped by their prompt:
- the same words, in whatever order, are one group;
- so are near-twins: their word 3-grams have a Jaccard similarity of 0.8, after those were left out that over 1 % of
  the different prompts hold (never those of 10 prompts or fewer, always those of over 1 000);
- a group bears the name of its oldest row. Every other row is a near-twin of that one, or a near-twin of another row
  and at least half like the oldest (`leaders` says why).

The groups depend on the rows and their ages alone, not on the order in which they come, nor on how they are cut into
chunks. A new youngest row changes no other's group, except where an n-gram becomes common by it, or ceases to be.

A hash only proposes. Every row that joins another was compared with it word by word.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

import numpy as np

from training.canonical import sha256_hex
from training.groups.gram_store import GRAM, MAX_WORDS, Common, GramStore, upper_half
from training.groups.leaders import HALF_LIKE, LIKE, near_twins, similarity
from training.ngrams import hash_words, words_of
from training.splits import SPLITS, TENTHS, group_of

DIGEST = 32  # bytes of a SHA-256
CONFIRMED = 128  # comparisons whose texts are asked for together
LARGEST = 10  # groups that a report names
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Prompts = Callable[[Sequence[int]], Sequence[str]]


@dataclass(frozen=True)
class Resolved:
    """The groups of rows. `digests` are the SHA-256 of the groups' names, uint8 (rows, 32); `oldest` is the position
    of the oldest row of each row's group, int32 (rows,); `joined` counts rows whose group bears another's prompt.
    """

    digests: np.ndarray
    oldest: np.ndarray
    joined: int

    def digest(self, position: int) -> str:
        """The SHA-256 of the name of a row's group in hexadecimal digits."""
        return self.digests[position].tobytes().hex()

    def splits(self) -> np.ndarray:
        """The place in SPLITS of each row's split, as `splits.split_of` says: uint8 (rows,)."""
        # 256 and all its powers are 6 modulo 10.
        last = (self.digests[:, -1] + 6 * self.digests[:, :-1].sum(axis=1, dtype=np.uint32)) % 10
        return np.array([SPLITS.index(split) for split in TENTHS], dtype=np.uint8)[last]

    def report(self) -> dict:
        """How many groups there are, and of which sizes: of one row, of two, of up to four, up to eight …"""
        sizes = np.bincount(self.oldest, minlength=1)
        groups = sizes[sizes > 0]
        bins = Counter(1 << (int(size) - 1).bit_length() for size in groups)
        largest = [position for position in np.argsort(-sizes, kind="stable")[:LARGEST].tolist() if sizes[position] > 1]
        return {
            "groups": len(groups),
            "with_twins": int(np.count_nonzero(groups > 1)),
            "joined": self.joined,
            "sizes": [{"up_to": size, "groups": bins[size]} for size in sorted(bins)],
            "largest": [{"oldest": position, "rows": int(sizes[position])} for position in largest],
        }


class Groups:
    """Add every row's payload, chunk by chunk and in any order, then `resolve`, once.

    Memory: some 120 bytes a row. The prompts' n-grams lie in a file without a name, 4 bytes a word, in `directory`
    (default: where temporary files go).
    """

    def __init__(self, directory: Path | None = None):
        self._digests, self._ages = bytearray(), bytearray()
        self._bags, self._keyed = bytearray(), bytearray()
        self._grams = GramStore(directory)

    def add(self, payloads: Sequence[dict], ages: Sequence[bytes]) -> None:
        """`ages` as `age_of` gives them, no two alike."""
        names = [group_of(payload) for payload in payloads]
        keyed = np.array([not name.startswith("prompt:") for name in names], dtype=bool)
        texts = np.flatnonzero(~keyed)
        words = hash_words([payloads[text]["prompt"] for text in texts.tolist()])
        bags = np.zeros(len(names), dtype=np.uint64)
        bags[texts] = words.bags()
        self._grams.add(words, texts, len(names))
        self._digests += b"".join(bytes.fromhex(sha256_hex(name)) for name in names)
        self._ages += b"".join(ages)
        self._bags += bags.tobytes()
        self._keyed += keyed.tobytes()

    def resolve(self, prompts: Prompts) -> Resolved:
        """The groups of all rows. `prompts` gives the prompts at positions again, at most 3 · CONFIRMED at a time."""
        self._grams.finish()
        try:
            return self._resolved(prompts)
        finally:
            self._grams.close()

    def _resolved(self, prompts: Prompts) -> Resolved:
        digests = np.frombuffer(self._digests, dtype=np.uint8).reshape(-1, DIGEST)
        keyed, bags = np.frombuffer(self._keyed, dtype=bool), np.frombuffer(self._bags, dtype=np.uint64)
        order = _oldest_first(self._ages)
        oldest = np.arange(len(order), dtype=np.int32)
        oldest[order] = _first_alike(order, digests.view(np.uint64))
        heads = order[(oldest[order] == order) & ~keyed[order]]
        firsts = _first_alike(heads, bags[:, None])
        pairs = np.column_stack((heads, firsts))[heads != firsts]
        for row, first in _confirmed(map(tuple, pairs.tolist()), prompts, _have_same_words):
            oldest[row] = first
        heads = heads[oldest[heads] == heads]
        common = Common(self._grams, heads)
        for row, _, leader in _confirmed(near_twins(self._grams, heads, common), prompts, TwinTest(common)):
            oldest[row] = leader
        oldest = oldest[oldest][oldest]
        joined = int(np.count_nonzero((digests != digests[oldest]).any(axis=1)))
        return Resolved(digests[oldest], oldest, joined)


def age_of(created_at: datetime, identity: UUID) -> bytes:
    """24 bytes in whose order the older row comes first, rows of one moment by their ids."""
    return (((created_at - EPOCH) // timedelta(microseconds=1)) + 2**63).to_bytes(8) + identity.bytes


class TwinTest:
    """Whether a text, its twin and that one's leader are near-twins by their words themselves."""

    def __init__(self, common: Common):
        self._common = common

    def __call__(self, text: str, twin: str, leader: str) -> bool:
        grams = self._grams(text)
        if similarity(grams, self._grams(twin)) < LIKE:
            return False
        return twin == leader or similarity(grams, self._grams(leader)) >= HALF_LIKE

    def _grams(self, text: str) -> frozenset[tuple[str, ...]]:
        words = words_of(text)
        hashes, firsts = hash_words([text]).grams(GRAM)
        own = ~self._common(upper_half(hashes)) & (firsts < MAX_WORDS)
        return frozenset(tuple(words[first : first + GRAM]) for first in firsts[own].tolist())


def _have_same_words(one: str, other: str) -> bool:
    return sorted(words_of(one)) == sorted(words_of(other))


def _confirmed(
    rows: Iterable[tuple[int, ...]], prompts: Prompts, test: Callable[..., bool]
) -> Iterator[tuple[int, ...]]:
    """Those of the tuples of positions whose prompts pass the test."""
    rows = iter(rows)
    while batch := list(islice(rows, CONFIRMED)):
        positions = sorted({position for row in batch for position in row})
        texts = dict(zip(positions, prompts(positions), strict=True))
        yield from (row for row in batch if test(*(texts[position] for position in row)))


def _oldest_first(ages: bytearray) -> np.ndarray:
    """Positions in order of their ages."""
    return np.lexsort(np.frombuffer(ages, dtype=">u8").reshape(-1, 3).T[::-1])


def _first_alike(positions: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """For each position the first of the positions that has the same key; keys (rows, columns) are of all rows."""
    columns = keys[positions].T
    order = np.lexsort(columns)
    begins = np.ones(len(order), dtype=bool)
    begins[1:] = (np.diff(columns[:, order]) != 0).any(axis=0)
    firsts = np.empty_like(positions)
    firsts[order] = positions[order[begins]][np.cumsum(begins) - 1]
    return firsts
