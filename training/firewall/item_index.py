"""Which items a row must be compared with: told by keys they share, for a chunk of rows at a time."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from training.firewall.asked import Asked
from training.firewall.common import GRAM, SHORT_GRAM
from training.firewall.index import MAX_ITEMS, Index
from training.firewall.items import ItemNumbers, numbers_by_text
from training.firewall.keys import IsCommon, Keys, gram_keys, problem_keys, prompt_keys, telling_grams, winnowed
from training.firewall.words import ANSWER_WORDS, MAX_WORDS, clean, hashed, item_texts, texts_of
from training.ngrams import NUMBER, Words

Candidates = tuple[int, list[int]]  # a row, as an index, and the items it is compared with, the likeliest first

MOST_NAMES, MOST_GRAMS = 32, 6  # items with the same key; one that more have tells little
CONFIRMED = 16  # items that a row is compared with
NAME = 10**6  # n-grams that another key outweighs


class ItemIndex:
    """Add all items by chunks, `finish`, then ask for the candidates of rows."""

    def __init__(self, is_common: IsCommon):
        self._is_common = is_common
        self._names, self._short_grams, self._grams = Index(), Index(), Index()
        self._prompt_numbers, self._step_numbers = ItemNumbers(), ItemNumbers()
        self._has_steps = bytearray()
        self._seen: set[int] = set()

    def __len__(self) -> int:
        """Items."""
        return len(self._has_steps)

    def entries(self) -> int:
        return len(self._names) + len(self._short_grams) + len(self._grams)

    def add(self, chunk: Sequence[Asked]) -> None:
        prompts, steps, answers = (
            hashed([clean(text) for text in texts]) for texts in zip(*map(item_texts, chunk), strict=True)
        )
        # A prompt or problem that a source has already is found by the item that it came with.
        new = np.array([self._is_new(item.source, item.prompt) for item in chunk], dtype=bool)
        self._add_names(prompt_keys(prompts), new)
        keys, of_item = problem_keys([{"prompt": item.prompt, "meta": {"problem": item.problem}} for item in chunk])
        kept = [
            self._is_new(chunk[item].source, key) for key, item in zip(keys.tolist(), of_item.tolist(), strict=True)
        ]
        self._add_names((keys[kept], of_item[kept]), np.ones(len(chunk), dtype=bool))
        prompts, steps, answers = (words.beginnings(MAX_WORDS) for words in (prompts, steps, answers))
        self._add_grams(self._grams, prompts, GRAM, new)
        self._add_grams(self._grams, steps, GRAM, steps.counts() > 0)
        self._add_grams(self._short_grams, prompts, SHORT_GRAM, new & (prompts.counts() < GRAM))
        self._add_grams(self._short_grams, answers, SHORT_GRAM, _without_numbers(answers) >= ANSWER_WORDS)
        self._prompt_numbers.add(prompts)
        self._step_numbers.add(steps)
        self._has_steps += bytes(bool(item.steps) for item in chunk)

    def finish(self) -> None:
        self._seen.clear()
        self._prompt_numbers.finish()
        self._step_numbers.finish()
        self._names.finish(MOST_NAMES)
        self._short_grams.finish(MOST_GRAMS)
        self._grams.finish(MOST_GRAMS)

    def candidates(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[Candidates]:
        """The rows that must be read."""
        if not rows:
            return
        prompts, rests = (hashed([clean(text) for text in texts]) for texts in zip(*map(texts_of, rows), strict=True))
        named = _found(self._names, [prompt_keys(prompts), problem_keys(rows)])
        short, long = (
            _found(index, [gram_keys(words, n) for words in (prompts, rests)]) if len(index) else named[:0]
            for index, n in ((self._short_grams, SHORT_GRAM), (self._grams, GRAM))
        )
        names = np.concatenate((named, short))
        alike, counts = np.unique(long, return_counts=True)
        telling = self._tells(alike, (prompts, rests))
        pairs, places = np.unique(np.concatenate((names, alike[telling])), return_inverse=True)
        weights = np.bincount(places, np.concatenate((np.full(len(names), NAME), counts[telling])))
        yield from _best(pairs, weights)

    def _tells(self, pairs: np.ndarray, texts: Sequence[Words]) -> np.ndarray:
        """Whether the row holds half of the numbers of the item's prompt, or of its steps: bool (pairs,).

        Nothing comes of the others. That all are there is asked later, when numbers in words are looked at as well.
        """
        if not len(pairs):
            return np.zeros(0, dtype=bool)
        rows, items = pairs // MAX_ITEMS, pairs % MAX_ITEMS
        held = np.concatenate([numbers_by_text(words) for words in texts])
        has_steps = np.frombuffer(self._has_steps, dtype=bool)[items]
        by_prompt = self._prompt_numbers.shares(items, rows, held) >= 0.5
        return by_prompt | has_steps & (self._step_numbers.shares(items, rows, held) >= 0.5)

    def _is_new(self, source: str, asked: str | int) -> bool:
        known = len(self._seen)
        self._seen.add(hash((source, asked)))
        return len(self._seen) > known

    def _add_names(self, keys: Keys, wanted: np.ndarray) -> None:
        hashes, items = keys
        kept = wanted[items]
        self._names.add(hashes[kept], items[kept] + len(self))

    def _add_grams(self, index: Index, words: Words, n: int, wanted: np.ndarray) -> None:
        hashes, firsts = telling_grams(words, n, self._is_common)
        items = words.owners()[firsts]
        hashes, items = hashes[wanted[items]], items[wanted[items]]
        kept = winnowed(hashes, items)
        index.add(hashes[kept], items[kept] + len(self))


def _without_numbers(words: Words) -> np.ndarray:
    """How many words of each text are no numbers."""
    return np.bincount(words.owners()[words.kinds != NUMBER], minlength=len(words.offsets) - 1)


def _found(index: Index, keys: Sequence[Keys]) -> np.ndarray:
    """Rows and items that share a key, as one number each, row · MAX_ITEMS + item; as often as they share one."""
    places, items = index.find(np.concatenate([hashes for hashes, _ in keys]))
    rows = np.concatenate([rows for _, rows in keys]).astype(np.int64)
    return rows[places] * MAX_ITEMS + items


def _best(pairs: np.ndarray, weights: np.ndarray) -> Iterator[Candidates]:
    """Each row with the items of its CONFIRMED weightiest pairs."""
    rows, items = pairs // MAX_ITEMS, pairs % MAX_ITEMS
    order = np.lexsort((items, -weights, rows))
    starts = np.flatnonzero(np.diff(rows[order], prepend=-1))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(order)], strict=False):
        yield int(rows[order[start]]), items[order[start : min(end, start + CONFIRMED)]].tolist()
