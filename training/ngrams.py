"""The words of texts and their n-grams as 64-bit numbers, for very many texts at once.

`words_of` says what a word is, one text at a time; `hash_words` finds the same words in thousands of texts with numpy,
some 10 ns a character. Equal words have equal hashes, on every machine and whatever stands around them. Different words
may share a hash (by chance one pair in 2⁶⁴, by malice easily), so that a hash only ever proposes: texts decide.

A word's hash is the polynomial of its characters modulo 2⁶⁴, whose base is odd and so has an inverse: with it the
weights of a place in the chunk become those of a place in the word (Karp and Rabin 1987, "Efficient randomized
pattern-matching algorithms"). An n-gram's hash is the same polynomial of its words' hashes.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from training.canonical import sha256_hex
from training.unicode import nfkc

WORD = re.compile(r"\d+(?:[.,]\d+)*|\w+|[^\w\s]")  # a number is one word, however long, and so is a sign
SPACE, LETTER, NUMBER, SIGN, POINT, QUIET = range(6)  # kinds of characters and of words, the signs last
QUIETS = ";:?!'\"`´…‘’‚‛“”„‟«»‹›–—¿¡"  # signs that only pace a sentence, as POINT does outside of numbers
PACING = frozenset(QUIETS + ".,")
BLOCK = 2**16  # characters that are worked on together: they stay in the cache
TABLE = 2**16  # code points that are folded by a table, the basic plane
LAST = 0x10FFFF

BASE, MIX = (int(sha256_hex(f"tunixrt ngrams {name}")[:16], 16) | 1 for name in ("base", "mix"))
INVERSE, HALF = pow(BASE, -1, 2**64), np.uint64(32)


@dataclass(frozen=True)
class Words:
    """The words of several texts: text i has those from offsets[i] to offsets[i + 1].

    hashes uint64 (words,), kinds uint8 (words,) out of LETTER … QUIET, offsets int64 (texts + 1,).
    """

    hashes: np.ndarray
    kinds: np.ndarray
    offsets: np.ndarray

    def counts(self) -> np.ndarray:
        """Words of each text."""
        return np.diff(self.offsets)

    def owners(self) -> np.ndarray:
        """The text of each word: int32 (words,)."""
        return np.repeat(np.arange(len(self.offsets) - 1, dtype=np.int32), self.counts())

    def bags(self) -> np.ndarray:
        """One number a text that depends on its words but not on their order: uint64 (texts,)."""
        return np.diff(_summed(self.hashes)[self.offsets])

    def spoken(self) -> "Words":
        """The same texts without the signs that only pace a sentence."""
        kept = self.kinds < POINT
        return Words(self.hashes[kept], self.kinds[kept], _counted(kept)[self.offsets])

    def beginnings(self, most: int) -> "Words":
        """The first `most` words of each text."""
        kept = np.arange(len(self.hashes)) - self.offsets[self.owners()] < most
        return Words(self.hashes[kept], self.kinds[kept], _counted(kept)[self.offsets])

    def grams(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Every n-gram that lies within one text: its hash, and the word it begins with, both (n-grams,)."""
        count = len(self.hashes) - n + 1
        if count < 1:
            return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
        powers, inverses = _powers(len(self.hashes))
        sums = _summed(self.hashes * powers)
        owners = self.owners()
        firsts = np.flatnonzero(owners[:count] == owners[n - 1 :])
        return mixed((sums[firsts + n] - sums[firsts]) * inverses[firsts]), firsts


def words_of(text: str) -> list[str]:
    """The words of `text` without what makes no difference to their meaning: case, Unicode's several spellings."""
    return WORD.findall(folded(text))


def spoken_words(text: str) -> list[str]:
    """`words_of` without the signs that only pace a sentence, as `Words.spoken`."""
    return [word for word in words_of(text) if word not in PACING]


def folded(text: str) -> str:
    """`text` in one case and one spelling of Unicode."""
    return (text if text.isascii() else nfkc(text)).casefold()


def hash_words(texts: Sequence[str]) -> Words:
    """The words of `words_of` for each text, as hashes."""
    blocks = [_hash_block(block) for block in _blocks(texts)]
    counts = np.concatenate([np.zeros(1, dtype=np.int64), *(block.counts() for block in blocks)])
    return Words(
        np.concatenate([np.zeros(0, dtype=np.uint64), *(block.hashes for block in blocks)]),
        np.concatenate([np.zeros(0, dtype=np.uint8), *(block.kinds for block in blocks)]),
        np.cumsum(counts),
    )


def mixed(numbers: np.ndarray) -> np.ndarray:
    """Every bit of the result depends on the upper and the lower half of the number."""
    numbers = (numbers ^ (numbers >> HALF)) * np.uint64(MIX)
    return numbers ^ (numbers >> HALF)


def _blocks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Runs of texts of about BLOCK characters."""
    first = size = 0
    for index, text in enumerate(texts):
        size += len(text)
        if size >= BLOCK:
            yield texts[first : index + 1]
            first, size = index + 1, 0
    if first < len(texts):
        yield texts[first:]


def _hash_block(texts: Sequence[str]) -> Words:
    codes, begins = _codes(texts)
    kinds = _kinds_of_codes().take(codes)
    # A segment is a run of characters of one kind; every sign is one of its own.
    edges = (kinds[1:] != kinds[:-1]) | (kinds[1:] >= SIGN)
    segments = np.flatnonzero(np.concatenate(([True], edges)))
    segment_kinds = kinds.take(segments)
    first = np.flatnonzero(_begins_word(segment_kinds))
    starts = segments[first]
    powers, inverses = _powers(len(codes))
    # A space counts nothing, and a character that is none never does.
    sums = _summed(powers * ((codes + 1) * (kinds != SPACE)))[np.concatenate((starts, [len(codes)]))]
    return Words(mixed(np.diff(sums) * inverses[starts]), segment_kinds[first], np.searchsorted(starts, begins))


def _begins_word(kinds: np.ndarray) -> np.ndarray:
    """Whether a word begins with the segment: WORD's rules, told from the kinds of the segments beside it.

    In a run of letters and digits those digits that come first are a number and the rest is one word; a point or comma
    between two numbers makes them one.
    """
    padded = np.concatenate(([SPACE, SPACE], kinds, [SPACE])).astype(np.uint8)
    second_before, before, after = padded[:-3], padded[1:-2], padded[3:]
    joins = (kinds == POINT) & (before == NUMBER) & (second_before != LETTER) & (after == NUMBER)
    letter = (kinds == LETTER) & ~((before == NUMBER) & (second_before == LETTER))
    number = (kinds == NUMBER) & (before != LETTER) & ~np.concatenate(([False], joins[:-1]))
    return letter | number | ((kinds >= SIGN) & ~joins)


def _codes(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The folded texts' code points with a space before each, and where each text begins; the end comes last."""
    joined = "\n".join(texts)
    if joined.isascii():
        return np.frombuffer(f"\n{joined.lower()}".encode(), dtype=np.uint8), _begins(texts)
    begins, codes, folds = _begins(texts), _utf32(f"\n{joined}"), _folds()
    rest = np.flatnonzero(folds.take(codes, mode="clip") == 0)
    if len(rest):
        texts = list(texts)
        for index in np.unique(np.searchsorted(begins, rest, side="right") - 1):
            texts[index] = folded(texts[index])
        begins, codes = _begins(texts), _utf32("\n".join(["", *texts]))
    table = folds.take(codes, mode="clip")
    return np.where(table == 0, codes, table), begins


def _begins(texts: Sequence[str]) -> np.ndarray:
    return np.cumsum([0, *(len(text) + 1 for text in texts)])


def _utf32(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


@cache
def _folds() -> np.ndarray:
    """What `folded` makes of a character, uint32 (TABLE + 1,); 0 where that takes more than the character itself.

    A text without marks, Hangul letters and characters that NFKC replaces is its own NFKC (Unicode Standard Annex 15,
    section 9).
    """
    table = np.zeros(TABLE + 1, dtype=np.uint32)
    for code in range(TABLE):
        character = chr(code)
        fold = character.casefold()
        composes = unicodedata.category(character)[0] == "M" or 0x1100 <= code < 0x1200
        if len(fold) == 1 and not composes and unicodedata.is_normalized("NFKC", character):
            table[code] = ord(fold)
    return table


@cache
def _kinds_of_codes() -> np.ndarray:
    """The kind of every code point, as WORD sees it: uint8 (LAST + 1,)."""
    kinds = np.full(LAST + 1, SIGN, dtype=np.uint8)
    everything = np.arange(LAST + 1, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    for kind, pattern in ((SPACE, r"\s+"), (LETTER, r"\w+"), (NUMBER, r"\d+")):
        for run in re.finditer(pattern, everything):
            kinds[run.start() : run.end()] = kind
    kinds[[ord(sign) for sign in QUIETS]] = QUIET
    kinds[[ord(point) for point in ".,"]] = POINT
    return kinds


def _powers(count: int) -> tuple[np.ndarray, np.ndarray]:
    """BASE and its inverse to the powers 0 to count - 1."""
    powers, inverses = _power_tables(max(2 * BLOCK, 1 << (count - 1).bit_length()))
    return powers[:count], inverses[:count]


@cache
def _power_tables(count: int) -> tuple[np.ndarray, np.ndarray]:
    tables = []
    for base in (BASE, INVERSE):
        table = np.full(count, base, dtype=np.uint64)
        table[0] = 1
        tables.append(np.multiply.accumulate(table))
    return tables[0], tables[1]


def _summed(numbers: np.ndarray) -> np.ndarray:
    """Sums of the numbers before each place and of all, modulo 2⁶⁴."""
    return np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(numbers, dtype=np.uint64)))


def _counted(kept: np.ndarray) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(kept)))
