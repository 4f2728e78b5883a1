"""Insertion sort. A step takes the first number after the bar and inserts it where it belongs before the bar; the
list as it then stands is written out, so that the next step needs only this one."""

import re
from collections.abc import Sequence
from random import Random

from training.problems.problem import Problem, StepCheck, Worked

NUMBER = "[0-9]{1,2}"
PROMPT = re.compile(rf"Sort ({NUMBER}(?: {NUMBER}){{1,15}})\.")
STEP = re.compile(rf"\s*Insert ({NUMBER}):\s*((?:{NUMBER}\s+)*{NUMBER})(?:\s*\|\s*((?:{NUMBER}\s+)*{NUMBER}))?\s*")


def generate(rng: Random, difficulty: int) -> Worked:
    """A list of `difficulty` numbers of two digits."""
    numbers = [str(rng.randint(10, 99)) for _ in range(difficulty)]
    state, steps = numbers, []
    for done in range(1, difficulty):
        state = inserted(state, done)
        steps.append(f"Insert {numbers[done]}: {_shown(state, done + 1)}")
    return Worked(f"Sort {' '.join(numbers)}.", steps, " ".join(state))


def inserted(numbers: Sequence[str], done: int) -> list[str]:
    """The list after the number at `done` has moved in front of the first larger one among those before it."""
    larger = (place for place in range(done) if int(numbers[place]) > int(numbers[done]))
    place = next(larger, done)
    return [*numbers[:place], numbers[done], *numbers[place:done], *numbers[done + 1 :]]


def check(payload: dict) -> list[StepCheck]:
    """Each step must insert the next number rightly into the list as the step before wrote it."""
    numbers = _numbers(payload["prompt"])
    before = numbers
    checks = []
    for index, step in enumerate(payload["steps"], start=1):
        match = STEP.fullmatch(step["content"])
        reason = _fault(match, before, index)
        checks.append(StepCheck(step["i"], not reason, reason))
        before = _state(match, numbers, index + 1)
    return checks


def group(prompt: str) -> str | None:
    """The numbers, in whatever order they are given."""
    numbers = _numbers(prompt)
    return " ".join(sorted(numbers, key=int)) if numbers else None


def _numbers(prompt: str) -> list[str]:
    problem = PROMPT.fullmatch(prompt)
    return problem[1].split() if problem else []


def _shown(state: Sequence[str], done: int) -> str:
    """The list with a bar behind its sorted part, and no bar when all of it is sorted."""
    parts = (state[:done], state[done:])
    return " | ".join(" ".join(part) for part in parts if part)


def _state(match: re.Match[str] | None, numbers: list[str], done: int) -> list[str]:
    """The list that a step wrote, or the right one after `done` numbers if it holds none of the right length."""
    written = f"{match[2]} {match[3] or ''}".split() if match else []
    return written if len(written) == len(numbers) else sorted(numbers[:done], key=int) + numbers[done:]


def _fault(match: re.Match[str] | None, before: list[str], done: int) -> str:
    """Why a step is wrong, or "". `before` is the list before it, of which `done` numbers are sorted."""
    if done >= len(before):
        return "the list has no number left to insert here"
    if match is None:
        return "is not of the form Insert n: sorted part | rest"
    if match[1] != before[done]:
        return f"the number to insert here is {before[done]}, not {match[1]}"
    right, written = inserted(before, done), f"{match[2]} | {match[3]}" if match[3] else match[2]
    expected = _shown(right, done + 1)
    return "" if written.split() == expected.split() else f"the list is now {expected}, not {' '.join(written.split())}"


PROBLEM = Problem(
    name="sorting",
    title="Sorting by insertion",
    description="Sort K numbers of two digits, inserting one after another where it belongs.",
    default_difficulty=5,
    difficulty_range=(2, 16),
    generate=generate,
    check=check,
    group=group,
)
