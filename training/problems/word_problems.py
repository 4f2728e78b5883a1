"""Word problems: somebody has some things and more happens to them, among sentences that have nothing to do with it.

A story is made of sentences from the lists below, so that it can be read back: a sentence matters when it tells of
the person and the things that the question asks for. What happens to other people or to other things does not.
"""

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cache
from random import Random
from typing import NamedTuple

from training.problems.problem import Problem, StepCheck, Worked

NAMES = (
    "Ada",
    "Ben",
    "Chen",
    "Dora",
    "Emil",
    "Fay",
    "Gus",
    "Hana",
    "Ivo",
    "Joy",
    "Kofi",
    "Lena",
    "Mia",
    "Noor",
    "Omar",
)
THINGS = ("apples", "beads", "books", "buttons", "cards", "coins", "marbles", "pencils", "shells", "stamps", "stones")
OPENINGS = ("{who} has {n} {what}.", "{who} starts with {n} {what}.", "At first {who} owns {n} {what}.")
QUESTIONS = (
    "How many {what} does {who} have now?",
    "How many {what} does {who} have in the end?",
    "How many {what} are left with {who}?",
)
# What happens, by its effect on the number of things, and the words of its step.
EVENTS = {
    "+": {
        "{who} finds {n} more {what}.": "finds",
        "Then {who} buys {n} {what}.": "buys",
        "{who} wins {n} {what} in a game.": "wins",
    },
    "-": {
        "{who} loses {n} {what}.": "loses",
        "Then {who} sells {n} {what}.": "sells",
        "{who} gives {n} {what} to a friend.": "gives away",
    },
    "+×": {
        "{who} buys {n} boxes of {m} {what} each.": "buys boxes",
        "{who} gets {n} bags with {m} {what} each.": "gets bags",
    },
    "-×": {
        "{who} gives {m} {what} to each of {n} friends.": "gives to each",
        "{who} packs {n} boxes with {m} {what} each and sells them.": "sells boxes",
    },
    "×": {"A year later {who} has {n} times as many {what}.": "times as many"},
    "÷": {
        "{who} shares the {what} equally among {n} people and keeps one share.": "one share",
        "{who} sorts the {what} into {n} equal piles and keeps one pile.": "one pile",
    },
}
# What has nothing to do with it, and the numbers that make sense there.
ASIDES = {
    "{who} is {n} years old.": range(6, 61),
    "{who} lives at number {n}.": range(2, 100),
    "A bus ticket costs {n} cents.": range(50, 301, 5),
    "It takes {n} minutes to get home.": range(5, 41),
    "The shop opens at {n} in the morning.": range(6, 12),
}
OTHER_EVENTS = (*OPENINGS[:1], *EVENTS["+"], *EVENTS["-"])
SLOTS = {"who": r"[A-Z][a-z]+", "what": r"[a-z]+", "n": r"[1-9][0-9]{0,3}", "m": r"[1-9][0-9]{0,3}"}
EQUATION = re.compile(r"([0-9]{1,9})\s*([+\-×÷])\s*([0-9]{1,9})\s*=\s*([0-9]{1,9})")
STEP = re.compile(rf"\s*(?:[^0-9]*[^0-9\s]:\s*)?{EQUATION.pattern}(?:\s*,\s*{EQUATION.pattern})?\s*")


class Event(NamedTuple):
    """Something that happens to the things: its effect, and its numbers, `m` 0 where it has only one."""

    effect: str
    n: int
    m: int
    words: str = ""

    def equations(self, total: int) -> list[tuple[str, str, str, str]]:
        """Left side, sign, right side and result: what a step computes with the total before it."""
        product = [(str(self.n), "×", str(self.m), str(self.n * self.m))] if self.m else []
        sign, operand = self.effect[0], self.n * (self.m or 1)
        results = {"+": total + operand, "-": total - operand, "×": total * operand, "÷": Fraction(total, operand)}
        return [*product, (str(total), sign, str(operand), str(results[sign]))]


class Story(NamedTuple):
    start: int
    events: list[Event]


def generate(rng: Random, difficulty: int) -> Worked:
    """A story of `difficulty` events that matter, and half as many sentences, rounded up, that do not."""
    who, other = rng.sample(NAMES, 2)
    what, else_what = rng.sample(THINGS, 2)
    total = start = rng.randint(6, 40)
    told, steps = [rng.choice(OPENINGS).format(who=who, what=what, n=start)], []
    for _ in range(difficulty):
        sentence, event = _draw_event(rng, total)
        told.append(sentence.format(who=who, what=what, n=event.n, m=event.m))
        equations = event.equations(total)
        steps.append(f"{event.words}: {', '.join(map('{0[0]} {0[1]} {0[2]} = {0[3]}'.format, equations))}")
        total = int(equations[-1][3])
    for text in rng.sample((*OTHER_EVENTS, *ASIDES), (difficulty + 1) // 2):
        told.insert(rng.randint(1, len(told)), _distraction(rng, text, who, other, what, else_what))
    question = rng.choice(QUESTIONS).format(who=who, what=what)
    return Worked(" ".join([*told, question]), steps, str(total))


def check(payload: dict) -> list[StepCheck]:
    """Each step must reckon with the next event that matters and with the total written before it, and rightly."""
    story = read_story(payload["prompt"])
    before: int | None = story.start if story else None
    checks = []
    for index, step in enumerate(payload["steps"]):
        event = story.events[index] if story and index < len(story.events) else None
        written = EQUATION.findall(step["content"]) if STEP.fullmatch(step["content"]) else []
        reason = _fault(written, event, before)
        checks.append(StepCheck(step["i"], not reason, reason))
        before = int(written[-1][3]) if written else None
    return checks


def group(prompt: str) -> str | None:
    """The numbers that matter and what happens to them; names, things and distractions are dress."""
    story = read_story(prompt)
    if story is None:
        return None
    events = (f"{event.effect[0]}{event.n}" + (f"×{event.m}" if event.m else "") for event in story.events)
    return " ".join((str(story.start), *events))


def read_story(prompt: str) -> Story | None:
    """The start and the events that matter; None for a text that is not such a story."""
    *sentences, question = re.split(r"(?<=\.) ", prompt)
    asked = next(_matches(QUESTIONS, question), None)
    opening = next(_matches(OPENINGS, sentences[0]), None) if sentences else None
    if not asked or not opening or not _is_about(opening, asked):
        return None
    events = []
    for sentence in sentences[1:]:
        event = _read_event(sentence, asked)
        if event:
            events.append(event)
        elif not any(_matches((*OTHER_EVENTS, *ASIDES), sentence)):
            return None
    return Story(int(opening["n"]), events)


def _draw_event(rng: Random, total: int) -> tuple[str, Event]:
    """A sentence and its event, one that leaves something and divides without a rest."""
    parts = [n for n in range(2, 6) if total % n == 0 and total // n > 3]
    packs = [(n, m) for n in range(2, 6) for m in range(2, 10)]
    possible = {
        "+": [(n, 0) for n in range(2, 31)],
        "-": [(n, 0) for n in range(2, min(31, total - 2))],
        "+×": packs,
        "-×": [(n, m) for n, m in packs if n * m < total - 2],
        "×": [(n, 0) for n in range(2, 5) if total * n < 200],
        "÷": [(n, 0) for n in parts],
    }
    effect = rng.choice([effect for effect, numbers in possible.items() if numbers])
    sentence, words = rng.choice(list(EVENTS[effect].items()))
    return sentence, Event(effect, *rng.choice(possible[effect]), words)


def _distraction(rng: Random, text: str, who: str, other: str, what: str, else_what: str) -> str:
    """An aside, or what happens to another person or to other things."""
    someone, something = rng.choice(((other, what), (who, else_what), (other, else_what)))
    return text.format(who=someone, what=something, n=rng.choice(ASIDES.get(text, range(2, 41))))


def _read_event(sentence: str, asked: dict[str, str]) -> Event | None:
    for effect, texts in EVENTS.items():
        for found in _matches(texts, sentence):
            if _is_about(found, asked):
                return Event(effect, int(found["n"]), int(found.get("m", 0)))
    return None


def _is_about(found: dict[str, str], asked: dict[str, str]) -> bool:
    return (found["who"], found["what"]) == (asked["who"], asked["what"])


def _matches(texts: Iterable[str], sentence: str) -> Iterator[dict[str, str]]:
    """The slots of each text that the sentence is made from."""
    return (match.groupdict() for text in texts if (match := _pattern(text).fullmatch(sentence)))


@cache
def _pattern(text: str) -> re.Pattern[str]:
    slots = {slot: f"(?P<{slot}>{pattern})" for slot, pattern in SLOTS.items()}
    return re.compile(text.replace(".", r"\.").replace("?", r"\?").format(**slots))


def _fault(written: list[tuple[str, str, str, str]], event: Event | None, before: int | None) -> str:
    """Why a step is wrong, or "". `before` is None when the step before could not be read."""
    if event is None:
        return "nothing else happens in the story"
    if not written:
        return "is not of the form words: a + b = c"
    total = int(written[-1][0])
    if before is not None and total != before:
        return f"continues from {total}, but the number before is {before}"
    for ours, right in zip(written, event.equations(total), strict=False):
        asked, given = " ".join(right[:3]), " ".join(ours[:3])
        if given != asked:
            return f"the story asks for {asked} here, not {given}"
        if ours[3] != right[3]:
            return f"{given} is {right[3]}, not {ours[3]}"
    return "" if len(written) == len(event.equations(total)) else "does not reckon in full what happens here"


PROBLEM = Problem(
    name="word_problems",
    title="Word problems with distractors",
    description="A story of K events among sentences that do not matter: how many things are left in the end?",
    default_difficulty=3,
    difficulty_range=(1, 10),
    generate=generate,
    check=check,
    group=group,
)
