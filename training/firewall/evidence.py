"""What a leak is: a row and an item compared word by word.

Numbers decide: a prompt that is alike but has other numbers is another problem. A prompt that is short or
made of common phrases says little, so that the answers must agree as well. Where both sides are known problems of
a generator, their keys decide and nothing else.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from training.firewall.common import GRAM, SHORT_GRAM
from training.firewall.reading import ItemReading, RowReading, covered
from training.splits import normalise

ALIKE = 0.8  # Jaccard similarity of the word 3-grams of nearly equal prompts
LEAST_SHARED = 3  # words of prompts that differ in one word
WHOLE = 0.95  # of the words of steps
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
    if _numbers_swapped(row, item):
        return None
    return Finding("reordered", "The prompt has the same words in another order.", 1.0)


def _near(row: RowReading, item: ItemReading) -> Finding | None:
    if row.prompt.numbers != item.prompt.numbers:
        return None
    similarity = row.prompt.similarity(item.prompt)
    one_word = _differ_in_one_word(row.prompt.words, item.prompt.words)
    if (not one_word and similarity < ALIKE) or _numbers_swapped(row, item):
        return None
    if item.says_little and not _asks_the_same(row, item):
        return None
    if one_word:
        return Finding("near", "The prompts differ in one word only.", similarity)
    return Finding("near", f"The prompts share {similarity:.0%} of their word 3-grams and all numbers.", similarity)


def _differ_in_one_word(one: list[str], other: list[str]) -> bool:
    """Whether one word was put in, left out, or put in another's place, and LEAST_SHARED or more are the same."""
    longer, shorter = max(len(one), len(other)), min(len(one), len(other))
    before = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    rest = range(1, shorter - before + 1)
    after = next((at - 1 for at in rest if one[-at] != other[-at]), shorter - before)
    return longer - before - after == 1 and before + after >= LEAST_SHARED


def _numbers_swapped(row: RowReading, item: ItemReading) -> bool:
    """Whether the numbers of the prompt changed places, and the answer with them: that is another problem."""
    ours, theirs = row.prompt.numbers_in_order, item.prompt.numbers_in_order
    return ours != theirs and row.prompt.numbers == item.prompt.numbers and row.has_another_number_for(item)


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
    """RUN words of the steps or more, with all numbers of the steps that they are in: half of the steps, and of steps
    that are mostly arithmetic the whole, for sums come out the same by chance.
    """
    words = item.steps.words
    for part in row.parts:
        places = covered(item.shared_steps(part))
        if len(places) < RUN or 2 * len(places) < len(words) or not item.numbers_of_steps(places) <= part.numbers:
            continue
        if 2 * sum(words[place][0].isalpha() for place in places) < len(places):
            every = range(len(words) - GRAM + 1)
            places = covered([first for first in every if item.steps.gram(first) in part.grams])
            if len(places) < WHOLE * len(words):
                continue
        share = len(places) / len(words)
        return Finding(
            "steps", f"The row holds {share:.0%} of the words of the worked steps, under another prompt.", share
        )
    return None


def _overlap(row: RowReading, item: ItemReading) -> Finding | None:
    if (item.says_little and not row.has_answer_of(item)) or _numbers_swapped(row, item):
        return None
    if len(item.prompt.words) >= SHORT_GRAM and item.prompt.spelled in row.prompt.spelled:
        return Finding("overlap", "The prompt holds the whole prompt of the item.", 1.0)
    for part in row.parts:
        firsts = item.shared_prompt(part)
        if not firsts or not item.prompt.numbers <= part.numbers:
            continue
        run, share = _longest_run(firsts), len(covered(firsts)) / len(item.prompt.words)
        if run >= RUN:
            return Finding("overlap", f"The row holds {run} words of the prompt in a row.", share)
        if share >= 0.5:
            return Finding("overlap", f"The row holds {share:.0%} of the words of the prompt.", share)
    return None


def _longest_run(firsts: list[int]) -> int:
    """Words of the longest run of n-grams that begin one word after the other."""
    longest = run = 0
    for before, first in pairwise([-1, *firsts]):
        run = run + 1 if first == before + 1 and run else 1
        longest = max(longest, run)
    return longest + GRAM - 1


Rule = Callable[[RowReading, ItemReading], Finding | None]
KEYED: tuple[Rule, ...] = (_same_problem,)
TEXTUAL: tuple[Rule, ...] = (_same_prompt, _reordered, _near, _answer, _steps, _overlap)
