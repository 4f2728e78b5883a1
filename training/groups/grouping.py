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

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
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

    Memory: some 150 bytes a row, 200 where nearly every row has a near-twin. The prompts' n-grams lie in a file
    without a name, 4 bytes a word, in `directory` (default: where temporary files go).
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
        names = digests.view(np.uint64)[:, :2]  # 128 bits tell them apart as well
        oldest, heads = self._different_prompts(names)
        pairs = self._same_bags(heads)
        for row, first in _confirmed(map(tuple, pairs.tolist()), prompts, _sorted_words, operator.eq):
            oldest[row] = first
        heads = heads[oldest[heads] == heads]
        common = Common(self._grams, heads)
        with closing(self._grams.without(common, heads)) as own:
            self._grams.close()
            for row, _, leader in _confirmed(near_twins(own, heads), prompts, partial(_gram_sets, common), _are_twins):
                oldest[row] = leader
        oldest = oldest[oldest][oldest]
        joined = int(np.count_nonzero(names[:, 0] != names[oldest, 0]))
        return Resolved(digests[oldest], oldest, joined)

    def _different_prompts(self, names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each row the oldest row of the same name, int32 (rows,), and the positions of those whose text may join
        others, oldest first. The ages are needed no more.
        """
        order = _oldest_first(self._ages)
        self._ages.clear()
        oldest = np.empty(len(order), dtype=np.int32)
        oldest[order] = _first_alike(order, names)
        return oldest, order[(oldest[order] == order) & ~np.frombuffer(self._keyed, dtype=bool)[order]]

    def _same_bags(self, heads: np.ndarray) -> np.ndarray:
        """Prompts, each with the oldest that seems to have the same words: (pairs, 2). The bags are needed no more."""
        firsts = _first_alike(heads, np.frombuffer(self._bags, dtype=np.uint64)[:, None])
        self._bags.clear()
        return np.column_stack((heads, firsts))[heads != firsts]


def age_of(created_at: datetime, identity: UUID) -> bytes:
    """24 bytes in whose order the older row comes first, rows of one moment by their ids."""
    return (((created_at - EPOCH) // timedelta(microseconds=1)) + 2**63).to_bytes(8) + identity.bytes


def _confirmed(
    rows: Iterable[tuple[int, ...]],
    prompts: Prompts,
    read: Callable[[Sequence[str]], list],
    test: Callable[..., bool],
) -> Iterator[tuple[int, ...]]:
    """Those of the tuples of positions that pass the test with what is read from their prompts."""
    rows = iter(rows)
    while batch := list(islice(rows, CONFIRMED)):
        positions = sorted({position for row in batch for position in row})
        found = dict(zip(positions, read(prompts(positions)), strict=True))
        yield from (row for row in batch if test(*(found[position] for position in row)))


def _sorted_words(texts: Sequence[str]) -> list[list[str]]:
    return [sorted(words_of(text)) for text in texts]


def _gram_sets(common: Common, texts: Sequence[str]) -> list[frozenset[tuple[str, ...]]]:
    """The n-grams of each text that are not common, as words."""
    hashed = hash_words(texts)
    hashes, firsts = hashed.grams(GRAM)
    owners = hashed.owners()[firsts]
    firsts -= hashed.offsets[owners]
    own = (firsts < MAX_WORDS) & ~common(upper_half(hashes))
    sets: list[set[tuple[str, ...]]] = [set() for _ in texts]
    words = [words_of(text) for text in texts]
    for text, first in zip(owners[own].tolist(), firsts[own].tolist(), strict=True):
        sets[text].add(tuple(words[text][first : first + GRAM]))
    return [frozenset(one) for one in sets]


def _are_twins(text: frozenset, twin: frozenset, leader: frozenset) -> bool:
    return similarity(text, twin) >= LIKE and (twin is leader or similarity(text, leader) >= HALF_LIKE)


def _oldest_first(ages: bytearray) -> np.ndarray:
    """Positions in order of their ages: int32."""
    return np.lexsort(np.frombuffer(ages, dtype=">u8").reshape(-1, 3).T[::-1]).astype(np.int32)


def _first_alike(positions: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """For each position the first of the positions that has the same key; keys (rows, columns) are of all rows."""
    columns = keys[positions].T
    order = np.lexsort(columns)
    begins = np.zeros(len(order), dtype=bool)
    begins[:1] = True
    for column in columns:
        begins[1:] |= column[order[1:]] != column[order[:-1]]
    firsts = np.empty_like(positions)
    firsts[order] = positions[order[begins]][np.cumsum(begins) - 1]
    return firsts
