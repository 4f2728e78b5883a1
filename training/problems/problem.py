"""What a generated problem is. Each problem is one file beside this one that holds one `Problem`."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Worked:
    """A problem with its worked solution; the steps are texts in order."""

    prompt: str
    steps: list[str]
    final_answer: str


@dataclass(frozen=True)
class StepCheck:
    """Whether step `i` of a trace follows from the problem and the step before it; `reason` says why not."""

    i: int
    ok: bool
    reason: str = ""


@dataclass(frozen=True)
class Problem:
    """A generator of problems, the checker of its steps, and the key its twins share.

    `difficulty_range` holds the smallest and the largest difficulty. `generate` draws from the given
    generator only. `check` judges each step of a trace by itself. `group` gives None for a prompt that is
    not one of this problem's.
    """

    name: str
    title: str
    description: str
    default_difficulty: int
    difficulty_range: tuple[int, int]
    generate: Callable[[Random, int], Worked]
    check: Callable[[dict], list[StepCheck]]
    group: Callable[[str], str | None]
