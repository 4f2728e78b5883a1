"""What is worth knowing of an evalset that breaks no rule: what it asks how often, and which items say little."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from training.errors import echo
from training.judges import judge_output, normalise, number
from training.renderers import RECIPES
from training.twins import Likeness, bands_of

LABELS = ("section", "category", "difficulty")
MOST_WORDS = 8  # of an expected answer; a longer one is prose

Item = Mapping[str, Any]


class Doubt(NamedTuple):
    """An item that a score should perhaps not rest on; `why` is a sentence for people that begins with a verb."""

    id: str
    kind: str  # unreachable, prose, same_question, near_duplicate
    why: str

    def __str__(self) -> str:
        return f"{echo(self.id)} {self.why}"


def label_counts(items: Iterable[Item]) -> dict[str, Counter[str]]:
    """How many items have each section, category and difficulty, in the order in which they come first."""
    counts: dict[str, Counter[str]] = {label: Counter() for label in LABELS}
    for item in items:
        for label in LABELS:
            if label in item:
                counts[label][item[label]] += 1
    return counts


def doubts_of(items: Sequence[Item]) -> Iterator[Doubt]:
    """Items whose expected answer no output can reach, or that ask what another one asks."""
    for item in items:
        yield from _answer_doubts(item)
    yield from _twin_doubts(items)


def _answer_doubts(item: Item) -> Iterator[Doubt]:
    unreached = [recipe for recipe in RECIPES if not _is_reached(item, recipe)]
    expected = item["expected_answer"]
    if unreached:
        recipes = ", ".join(unreached)
        yield Doubt(item["id"], "unreachable", f"expects what no answer can be, as {recipes} would write it")
    elif number(expected) is None and len(normalise(expected).split()) > MOST_WORDS:
        words = len(expected.split())
        yield Doubt(item["id"], "prose", f"expects {words} words; only an answer of exactly these words is right")


def _is_reached(item: Item, recipe: str) -> bool:
    """Whether the expected answer itself, written as the recipe teaches, is judged right."""
    opening, closing = RECIPES[recipe].answer
    return bool(judge_output(item, f"{opening}{item['expected_answer']}{closing}", recipe)["correct"])


def _twin_doubts(items: Sequence[Item]) -> Iterator[Doubt]:
    """Items that ask what an earlier one asks."""
    first: dict[str, Item] = {}
    twins = _Twins()
    for item in items:
        other = first.setdefault(normalise(item["prompt"]), item)
        if other is not item:
            differs = normalise(item["expected_answer"]) != normalise(other["expected_answer"])
            why = f"asks the same as {echo(other['id'])}{' and expects another answer' if differs else ''}"
            yield Doubt(item["id"], "same_question", why)
        elif twin := twins.of(item):
            yield Doubt(item["id"], "near_duplicate", f"asks nearly the same as {echo(twin['id'])}")


class _Twins:
    """The items so far. One is compared with the first of each band that it falls into: linear in their number."""

    def __init__(self) -> None:
        self._first: dict[int, tuple[Likeness, Item]] = {}

    def of(self, item: Item) -> Item | None:
        """An earlier item that is a near-twin of this one, which is remembered where there is none."""
        payload = {"prompt": item["prompt"], "steps": [], "final_answer": "", "meta": {"problem": item["category"]}}
        likeness, bands = Likeness.of(payload), bands_of(payload)
        for known, other in (self._first[band] for band in bands if band in self._first):
            if likeness.is_twin(known):
                return other
        for band in bands:
            self._first.setdefault(band, (likeness, item))
        return None
