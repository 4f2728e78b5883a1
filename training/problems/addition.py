"""Column addition with carries. A step adds one column and repeats the digits written so far, so that the
next step needs only the problem and this one."""

import re
from random import Random

from training.problems.problem import Problem, StepCheck, Worked

PROMPT = re.compile(r"Add ([0-9]{1,12}) \+ ([0-9]{1,12})\.")
STEP = re.compile(r"\s*([0-9])\s*\+\s*([0-9])\s*\+\s*([0-9])\s*=\s*([0-9]+)\s*→\s*([0-9]+),\s*carry\s+([0-9])\s*")


def generate(rng: Random, difficulty: int) -> Worked:
    """Two numbers of `difficulty` digits each."""
    low, high = 10 ** (difficulty - 1), 10**difficulty - 1
    a, b = rng.randint(low, high), rng.randint(low, high)
    carry, written, steps = 0, "", []
    for column in columns(a, b):
        total = sum(column) + carry
        written = f"{total % 10}{written}"
        steps.append(f"{column[0]}+{column[1]}+{carry}={total}→{written}, carry {total // 10}")
        carry = total // 10
    return Worked(f"Add {a} + {b}.", steps, str(a + b))


def columns(a: int, b: int) -> list[tuple[int, int]]:
    """The digits that stand above each other, from the right."""
    width = max(len(str(a)), len(str(b)))
    return [(a // 10**place % 10, b // 10**place % 10) for place in range(width)]


def check(payload: dict) -> list[StepCheck]:
    """Each step must add the column at its place and the carry written before it, and rightly."""
    operands = _operands(payload["prompt"])
    asked = columns(*operands) if operands else []
    before: tuple[str, str] | None = ("", "0")
    checks = []
    for index, step in enumerate(payload["steps"]):
        column = asked[index] if index < len(asked) else None
        match = STEP.fullmatch(step["content"])
        reason = _fault(match, column, before)
        checks.append(StepCheck(step["i"], not reason, reason))
        before = (match[5], match[6]) if match else None
    return checks


def group(prompt: str) -> str | None:
    """The two numbers, in either order."""
    operands = _operands(prompt)
    return "+".join(map(str, sorted(operands))) if operands else None


def _operands(prompt: str) -> tuple[int, int] | None:
    problem = PROMPT.fullmatch(prompt)
    return (int(problem[1]), int(problem[2])) if problem else None


def _fault(match: re.Match[str] | None, column: tuple[int, int] | None, before: tuple[str, str] | None) -> str:
    """Why a step is wrong, or "". `before` holds the digits and the carry written before it, None if unreadable."""
    if column is None:
        return "the problem has no column here"
    if match is None:
        return "is not of the form a+b+carry=sum→digits so far, carry c"
    first, second, carry, total, written, carried = match.groups()
    if (int(first), int(second)) != column:
        return f"the column here is {column[0]}+{column[1]}, not {first}+{second}"
    if before is not None and carry != before[1]:
        return f"adds a carry of {carry}, but the carry before is {before[1]}"
    right = sum(column) + int(carry)
    if total != str(right):
        return f"{first}+{second}+{carry} is {right}, not {total}"
    if carried != str(right // 10):
        return f"carries {carried}, but {right} carries {right // 10}"
    digits = f"{right % 10}{before[0] if before else written[1:]}"
    return "" if written == digits else f"the digits so far are {digits}, not {written}"


PROBLEM = Problem(
    name="addition",
    title="Column addition",
    description="Add two numbers of K digits, column by column from the right, with carries.",
    default_difficulty=3,
    difficulty_range=(1, 12),
    generate=generate,
    check=check,
    group=group,
)
