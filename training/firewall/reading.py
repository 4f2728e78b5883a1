"""A row and an item as they are compared: their parts with words, numbers and n-grams, each worked out when needed."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from training.firewall.asked import Asked
from training.firewall.common import GRAM, SHORT_GRAM
from training.firewall.keys import IsCommon, known_problem, telling_grams
from training.firewall.words import ANSWER_WORDS, MAX_WORDS, clean, hashed, item_texts, numbers_of, texts_of
from training.judges import number, same_answer
from training.ngrams import spoken_words

SHORT = 20  # words of letters in a prompt; one with fewer says little


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
    def numbers_in_order(self) -> list[str]:
        return numbers_of(self._clean)

    @cached_property
    def numbers(self) -> Counter[str]:
        return Counter(self.numbers_in_order)

    @cached_property
    def spelled(self) -> str:
        """The words with a space before and behind each."""
        return f" {' '.join(self.words)} "

    @cached_property
    def letters(self) -> int:
        """Words that are no numbers and no signs."""
        return sum(word[0].isalpha() for word in self.words)

    @cached_property
    def grams(self) -> frozenset[tuple[str, ...]]:
        return frozenset(_grams(self.words, GRAM))

    def gram(self, first: int) -> tuple[str, ...]:
        return tuple(self.words[first : first + GRAM])

    @cached_property
    def names(self) -> frozenset[str]:
        """The words that are written with a capital though no sentence begins with them."""
        words = self._clean.split()
        inner = (word for before, word in pairwise(words) if before[-1] not in ".!?:")
        return frozenset(name for word in inner if word[:1].isupper() for name in spoken_words(word))

    def similarity(self, other: "Part") -> float:
        """Jaccard similarity of the word 3-grams, 0 to 1."""
        ours, theirs = set(_grams(self.words, 3)), set(_grams(other.words, 3))
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
        return self._answer == item.answer.text or same_answer(self._answer, item.answer.text)

    def has_another_number_for(self, item: "ItemReading") -> bool:
        """Whether both answers are numbers, and not the same."""
        ours, theirs = number(self._answer), number(item.answer.text)
        return ours is not None and theirs is not None and ours != theirs


class ItemReading:
    """An item, with the places where telling n-grams begin in its prompt and steps, and whether its answer has one."""

    def __init__(self, asked: Asked, in_prompt: list[int], in_steps: list[int], answer_tells: bool):
        self.asked = asked
        self.prompt, self.steps, self.answer = map(Part, item_texts(asked))
        self.problem = known_problem({"prompt": asked.prompt, "meta": {"problem": asked.problem}})
        self._in_prompt, self._in_steps, self._answer_tells = in_prompt, in_steps, answer_tells

    @cached_property
    def says_little(self) -> bool:
        """Whether the prompt alone could be alike by chance: its words are few, or half of it or more is common."""
        every = max(0, len(self.prompt.words) - GRAM + 1)
        return self.prompt.letters < SHORT or 2 * len(self._in_prompt) <= every

    @cached_property
    def telling_answer(self) -> str:
        """The answer as `Part.spelled`; "" for one of few different words, common, or told by the prompt already."""
        words = {word for word in self.answer.words if not word[0].isdecimal()}
        is_told = len(words) < ANSWER_WORDS or not self._answer_tells or self.answer.spelled in self.prompt.spelled
        return "" if is_told else self.answer.spelled

    def shared_prompt(self, part: Part) -> list[int]:
        """The first words, by place, of the prompt's telling n-grams that the part has."""
        return [first for first in self._in_prompt if self.prompt.gram(first) in part.grams]

    def shared_steps(self, part: Part) -> list[int]:
        """The same of the steps, one after the other."""
        return [first for first in self._in_steps if self.steps.gram(first) in part.grams]

    def numbers_of_steps(self, places: Sequence[int]) -> Counter[str]:
        """The numbers of those steps in which there are words at these places."""
        ends = np.cumsum([len(spoken_words(clean(step))) for step in self.asked.steps])
        touched = np.unique(np.searchsorted(ends, places, side="right")).tolist()
        return Counter(numbers_of(clean("\n".join(self.asked.steps[index] for index in touched))))


def read_items(items: Sequence[Asked], is_common: IsCommon) -> list[ItemReading]:
    """The items' readings; `is_common` says of hashes of n-grams which ones tell nothing."""
    parts = [[clean(text) for text in texts] for texts in zip(*map(item_texts, items), strict=True)]
    prompts, steps, answers = (
        _telling_places(texts, n, is_common) for texts, n in zip(parts, (GRAM, GRAM, SHORT_GRAM), strict=True)
    )
    told = zip(items, prompts, steps, map(bool, answers), strict=True)
    return [ItemReading(*one) for one in told]


def covered(firsts: Sequence[int]) -> list[int]:
    """The places of the words that lie in the n-grams that begin at these."""
    return sorted({place for first in firsts for place in range(first, first + GRAM)})


def _telling_places(texts: Sequence[str], n: int, is_common: IsCommon) -> list[list[int]]:
    """Where in each text its telling n-grams begin."""
    words = hashed(texts).beginnings(MAX_WORDS)
    _, firsts = telling_grams(words, n, is_common)
    bounds = np.searchsorted(firsts, words.offsets)
    return [
        (firsts[begin:end] - offset).tolist()
        for begin, end, offset in zip(bounds, bounds[1:], words.offsets, strict=False)
    ]


def _grams(words: list[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(n)), strict=False)
