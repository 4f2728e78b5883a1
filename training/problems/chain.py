"""Operations in a row on one digit: easy when each is written down, hopeless to guess when there are many.

Every operation (+ a digit, × a digit prime to 10) permutes the ten digits, so no operation can be left out and the
answer is any digit with equal chance: without the work, one in ten is right.
"""

import re
from random import Random

from training.problems.problem import Problem, StepCheck, Worked

PROMPT = re.compile(r"Start at (\d)\. Then ((?:[+×]\d ?)+)\. Keep the last digit\.")
STEP = re.compile(r"\s*(\d)\s*([+×])\s*(\d)\s*[→=]\s*(\d)\s*")
OPERANDS = {"+": range(1, 10), "×": (3, 7, 9)}


def generate(rng: Random, difficulty: int) -> Worked:
    """A chain of `difficulty` operations."""
    start = value = rng.randrange(10)
    operations, steps = [], []
    for _ in range(difficulty):
        sign = rng.choice("+×")
        operand = rng.choice(OPERANDS[sign])
        result = apply(value, sign, operand)
        operations.append(f"{sign}{operand}")
        steps.append(f"{value}{sign}{operand}→{result}")
        value = result
    prompt = f"Start at {start}. Then {' '.join(operations)}. Keep the last digit."
    return Worked(prompt, steps, str(value))


def apply(value: int, sign: str, operand: int) -> int:
    """The last digit of one operation's result."""
    return (value + operand if sign == "+" else value * operand) % 10


def check(payload: dict) -> list[StepCheck]:
    """Each step must apply the operation asked for at its place to the result written before it, and rightly."""
    problem = PROMPT.fullmatch(payload["prompt"])
    operations = problem[2].split() if problem else []
    before = problem[1] if problem else None
    checks = []
    for index, step in enumerate(payload["steps"]):
        asked = operations[index] if index < len(operations) else None
        written = STEP.fullmatch(step["content"])
        reason = _fault(written, asked, before)
        checks.append(StepCheck(step["i"], not reason, reason))
        before = written[4] if written else None
    return checks


def group(prompt: str) -> str | None:
    """The operations, whatever digit they start from."""
    problem = PROMPT.fullmatch(prompt)
    return " ".join(problem[2].split()) if problem else None


def _fault(written: re.Match[str] | None, asked: str | None, before: str | None) -> str:
    """Why a step is wrong, or "". `before` is None when the step before could not be read."""
    if asked is None:
        return "the problem asks for no operation here"
    if written is None:
        return f"is not of the form {before or 'a'}{asked}→result"
    value, sign, operand, result = written.groups()
    if sign + operand != asked:
        return f"the operation asked for here is {asked}, not {sign}{operand}"
    if before is not None and value != before:
        return f"continues from {value}, but the value before is {before}"
    right = apply(int(value), sign, int(operand))
    return "" if result == str(right) else f"{value}{sign}{operand} ends in {right}, not {result}"


PROBLEM = Problem(
    name="chain",
    title="A chain of operations on one digit",
    description="Start with a digit, then K operations, each + a digit or × 3, 7 or 9, keeping the last digit.",
    default_difficulty=8,
    difficulty_range=(1, 32),
    generate=generate,
    check=check,
    group=group,
)
