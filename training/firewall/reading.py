"""A row and an item as they are compared: their parts with words, numbers and n-grams, each worked out when needed."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from training.firewall.asked import Asked
from training.firewall.common import GRAM, SHORT_GRAM
from training.firewall.keys import known_problem
from training.firewall.words import ANSWER_WORDS, MAX_WORDS, clean, hashed, numbers_of, texts_of
from training.judges import same_answer
from training.ngrams import spoken_words

SHORT = 20  # words of a prompt that says little
IsCommon = Callable[[np.ndarray], np.ndarray]


class Part:
    """A prompt, or steps, or an answer."""

    def __init__(self, text: str):
        self.text = text
        self._clean = clean(text)

    @cached_property
    def words(self) -> list[str]:
        return spoken_words(self._clean)

    @cached_property
    def bag(self) -> Counter[str]:
        return Counter(self.words)

    @cached_property
    def numbers(self) -> Counter[str]:
        return numbers_of(self._clean)

    @cached_property
    def spelled(self) -> str:
        """The words with a space before and behind each."""
        return f" {' '.join(self.words)} "

    @cached_property
    def grams(self) -> frozenset[tuple[str, ...]]:
        return frozenset(grams_of(self.words, GRAM))

    @cached_property
    def names(self) -> frozenset[str]:
        """The words that are written with a capital though no sentence begins with them."""
        words = self._clean.split()
        inner = (word for before, word in pairwise(words) if before[-1] not in ".!?:")
        return frozenset(name for word in inner if word[:1].isupper() for name in spoken_words(word))

    def similarity(self, other: "Part") -> float:
        """Jaccard similarity of the word 3-grams, 0 to 1."""
        ours, theirs = set(grams_of(self.words, 3)), set(grams_of(other.words, 3))
        return len(ours & theirs) / max(1, len(ours | theirs))


class RowReading:
    """A row of a dataset."""

    def __init__(self, row: Mapping[str, Any]):
        self.id = str(row["id"])
        self._answer = row["final_answer"]
        self.problem = known_problem(row)
        self.parts = prompt, _ = tuple(map(Part, texts_of(row)))
        self.prompt = prompt

    def has_answer_of(self, item: "ItemReading") -> bool:
        return same_answer(self._answer, item.answer.text)


class ItemReading:
    """An item; `is_common` says of hashes of n-grams which ones tell nothing."""

    def __init__(self, asked: Asked, is_common: IsCommon):
        self.asked = asked
        self._is_common = is_common
        self.prompt, self.steps, self.answer = Part(asked.prompt), Part("\n".join(asked.steps)), Part(asked.answer)
        self.problem = known_problem({"prompt": asked.prompt, "meta": {"problem": asked.problem}})

    @cached_property
    def says_little(self) -> bool:
        """Whether the prompt alone could be alike by chance: it is short, or half of it or more is common."""
        every = max(0, len(self.prompt.words) - GRAM + 1)
        return len(self.prompt.words) < SHORT or 2 * len(self._prompt_grams) <= every

    @cached_property
    def telling_answer(self) -> str:
        """The answer as `Part.spelled`; "" for one of few different words, common, or told by the prompt already."""
        words = {word for word in self.answer.words if not word[0].isdecimal()}
        if len(words) < ANSWER_WORDS or self.answer.spelled in self.prompt.spelled:
            return ""
        return self.answer.spelled if self._own_grams(self.answer, SHORT_GRAM) else ""

    def prompt_covered(self, grams: frozenset[tuple[str, ...]]) -> list[int]:
        """The words of the prompt, by place, that lie in one of these n-grams that is not common."""
        return _covered(self._prompt_grams, grams)

    def steps_covered(self, grams: frozenset[tuple[str, ...]]) -> list[int]:
        """The same of the steps, one after the other."""
        return _covered(self._step_grams, grams)

    def numbers_of_steps(self, places: list[int]) -> Counter[str]:
        """The numbers of those steps in which there are words at these places."""
        ends = np.cumsum([len(spoken_words(clean(step))) for step in self.asked.steps])
        touched = np.unique(np.searchsorted(ends, places, side="right")).tolist()
        return numbers_of(clean("\n".join(self.asked.steps[index] for index in touched)))

    @cached_property
    def _prompt_grams(self) -> dict[int, tuple[str, ...]]:
        return self._own_grams(self.prompt, GRAM)

    @cached_property
    def _step_grams(self) -> dict[int, tuple[str, ...]]:
        return self._own_grams(self.steps, GRAM)

    def _own_grams(self, part: Part, n: int) -> dict[int, tuple[str, ...]]:
        """The n-grams of a part that are not common, by the places of their first words."""
        hashes, firsts = hashed([clean(part.text)]).beginnings(MAX_WORDS).grams(n)
        return {first: tuple(part.words[first : first + n]) for first in firsts[~self._is_common(hashes)].tolist()}


def grams_of(words: list[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(n)), strict=False)


def _covered(own: dict[int, tuple[str, ...]], grams: frozenset[tuple[str, ...]]) -> list[int]:
    return sorted({place for first, gram in own.items() if gram in grams for place in range(first, first + GRAM)})
