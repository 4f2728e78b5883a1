"""What a leak is: a row and an item compared word by word.

Numbers decide: a prompt that is alike but has other numbers is another problem. A prompt that is short or
made of common phrases says little, so that the answers must agree as well. Where both sides are known problems of
a generator, their keys decide and nothing else.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from training.firewall.common import SHORT_GRAM
from training.firewall.reading import ItemReading, RowReading
from training.splits import normalise

ALIKE = 0.8  # Jaccard similarity of the word 3-grams of nearly equal prompts
LEAST_SHARED = 3  # words of prompts that differ in one word
RUN = 13  # words in a row that nobody writes again by chance
VAGUE = frozenset({"yes", "no", "true", "false", "none", "a", "b", "c", "d", "e"})  # answers that fit any question


class Finding(NamedTuple):
    """What a Leak says, without its names."""

    kind: str
    why: str
    similarity: float


def finding_of(row: RowReading, item: ItemReading) -> Finding | None:
    """The strongest thing that the row gives away of the item; None when it gives nothing away."""
    rules = KEYED if row.problem and item.problem else TEXTUAL
    return next(filter(None, (rule(row, item) for rule in rules)), None)


def _same_problem(row: RowReading, item: ItemReading) -> Finding | None:
    if row.problem != item.problem:
        return None
    return _same_prompt(row, item) or Finding("problem", "It is the same generated problem in other words.", 1.0)


def _same_prompt(row: RowReading, item: ItemReading) -> Finding | None:
    if row.prompt.text == item.prompt.text:
        return Finding("verbatim", "The prompt is the same to the letter.", 1.0)
    is_same = row.prompt.words == item.prompt.words and row.prompt.numbers == item.prompt.numbers
    if is_same and (item.prompt.words or normalise(row.prompt.text) == normalise(item.prompt.text)):
        return Finding("normalised", "The prompt is the same but for case, spacing, punctuation or spelling.", 1.0)
    return None


def _reordered(row: RowReading, item: ItemReading) -> Finding | None:
    if not item.prompt.bag or row.prompt.bag != item.prompt.bag or row.prompt.numbers != item.prompt.numbers:
        return None
    if item.says_little and not row.has_answer_of(item):
        return None
    return Finding("reordered", "The prompt has the same words in another order.", 1.0)


def _near(row: RowReading, item: ItemReading) -> Finding | None:
    if row.prompt.numbers != item.prompt.numbers:
        return None
    similarity = row.prompt.similarity(item.prompt)
    shared = (row.prompt.bag & item.prompt.bag).total()
    one_word = shared >= LEAST_SHARED and max(len(row.prompt.words), len(item.prompt.words)) - shared <= 1
    if not one_word and similarity < ALIKE:
        return None
    if item.says_little and not _asks_the_same(row, item):
        return None
    if one_word:
        return Finding("near", "The prompts differ in one word only.", similarity)
    return Finding("near", f"The prompts share {similarity:.0%} of their word 3-grams and all numbers.", similarity)


def _asks_the_same(row: RowReading, item: ItemReading) -> bool:
    """Whether short prompts that are nearly alike ask the same, the legs of a cat and of a dog being four each.

    They do if their answers agree, and the numbers in the prompts or the answer leave little to chance, or nothing was
    put in another's place.
    """
    if not row.has_answer_of(item):
        return False
    gone, come = item.prompt.bag - row.prompt.bag, row.prompt.bag - item.prompt.bag
    if not gone or not come or len(item.prompt.numbers) > 1:
        return True
    is_vague = item.answer.numbers or " ".join(item.answer.words) in VAGUE
    return not (is_vague or item.prompt.names & gone.keys() or row.prompt.names & come.keys())


def _answer(row: RowReading, item: ItemReading) -> Finding | None:
    answer = item.telling_answer
    if answer and any(answer in part.spelled for part in row.parts):
        count = len(item.answer.words)
        return Finding("answer", f"The row holds the whole answer, {count} words, under another prompt.", 1.0)
    return None


def _steps(row: RowReading, item: ItemReading) -> Finding | None:
    """RUN words of the steps or more, which are half of them or more, and all numbers of the steps that they are in."""
    for part in row.parts:
        covered = item.steps_covered(part.grams)
        share = len(covered) / max(1, len(item.steps.words))
        if len(covered) >= RUN and share >= 0.5 and item.numbers_of_steps(covered) <= part.numbers:
            why = f"The row holds {share:.0%} of the words of the worked steps, under another prompt."
            return Finding("steps", why, share)
    return None


def _overlap(row: RowReading, item: ItemReading) -> Finding | None:
    if item.says_little and not row.has_answer_of(item):
        return None
    if len(item.prompt.words) >= SHORT_GRAM and item.prompt.spelled in row.prompt.spelled:
        return Finding("overlap", "The prompt holds the whole prompt of the item.", 1.0)
    for part in row.parts:
        covered = item.prompt_covered(part.grams)
        if not covered or not item.prompt.numbers <= part.numbers:
            continue
        run, share = _longest_run(covered), len(covered) / len(item.prompt.words)
        if run >= RUN:
            return Finding("overlap", f"The row holds {run} words of the prompt in a row.", share)
        if share >= 0.5:
            return Finding("overlap", f"The row holds {share:.0%} of the words of the prompt.", share)
    return None


def _longest_run(places: list[int]) -> int:
    longest = run = 1
    for before, place in pairwise(places):
        run = run + 1 if place == before + 1 else 1
        longest = max(longest, run)
    return longest


Rule = Callable[[RowReading, ItemReading], Finding | None]
KEYED: tuple[Rule, ...] = (_same_problem,)
TEXTUAL: tuple[Rule, ...] = (_same_prompt, _reordered, _near, _answer, _steps, _overlap)
