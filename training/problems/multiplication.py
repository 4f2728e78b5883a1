"""Long multiplication by partial products. A step multiplies by one digit at its place and adds the product to the
total so far, so that the next step needs only the problem and this one."""

import re
from random import Random

from training.problems.problem import Problem, StepCheck, Worked

PROMPT = re.compile(r"Multiply ([0-9]{1,8}) × ([0-9]{1,8})\.")
STEP = re.compile(r"\s*([0-9]+)\s*×\s*([0-9]+)\s*=\s*([0-9]+),\s*([0-9]+)\s*\+\s*([0-9]+)\s*=\s*([0-9]+)\s*")
MAX_DIGITS = 32  # of a number in a step; beyond it nothing is computed


def generate(rng: Random, difficulty: int) -> Worked:
    """Two numbers of `difficulty` digits each."""
    low, high = 10 ** (difficulty - 1), 10**difficulty - 1
    a, b = rng.randint(low, high), rng.randint(low, high)
    total, steps = 0, []
    for factor in factors(b):
        product = a * factor
        steps.append(f"{a}×{factor}={product}, {total}+{product}={total + product}")
        total += product
    return Worked(f"Multiply {a} × {b}.", steps, str(total))


def factors(number: int) -> list[int]:
    """What each digit is worth at its place, from the right: 407 gives 7, 0, 400."""
    return [int(digit) * 10**place for place, digit in enumerate(reversed(str(number)))]


def check(payload: dict) -> list[StepCheck]:
    """Each step must multiply by the digit at its place and add to the total written before it, and rightly."""
    operands = _operands(payload["prompt"])
    asked = factors(operands[1]) if operands else []
    before: str | None = "0"
    checks = []
    for index, step in enumerate(payload["steps"]):
        match = STEP.fullmatch(step["content"])
        readable = match if match and max(map(len, match.groups())) <= MAX_DIGITS else None
        problem = (operands[0], asked[index]) if operands and index < len(asked) else None
        reason = _fault(readable, problem, before)
        checks.append(StepCheck(step["i"], not reason, reason))
        before = readable[6] if readable else None
    return checks


def group(prompt: str) -> str | None:
    """The two numbers, in either order."""
    operands = _operands(prompt)
    return "×".join(map(str, sorted(operands))) if operands else None


def _operands(prompt: str) -> tuple[int, int] | None:
    problem = PROMPT.fullmatch(prompt)
    return (int(problem[1]), int(problem[2])) if problem else None


def _fault(match: re.Match[str] | None, asked: tuple[int, int] | None, before: str | None) -> str:
    """Why a step is wrong, or "". `before` is the total written before it, None if unreadable."""
    if asked is None:
        return "the problem has no digit here"
    if match is None:
        return "is not of the form a×digit=product, total+product=new total"
    first, second, product, total, added, result = match.groups()
    if (first, second) != (str(asked[0]), str(asked[1])):
        return f"the product asked for here is {asked[0]}×{asked[1]}, not {first}×{second}"
    if product != str(asked[0] * asked[1]):
        return f"{first}×{second} is {asked[0] * asked[1]}, not {product}"
    if before is not None and total != before:
        return f"adds to {total}, but the total before is {before}"
    if added != product:
        return f"adds {added}, but the product is {product}"
    right = int(total) + int(added)
    return "" if result == str(right) else f"{total}+{added} is {right}, not {result}"


PROBLEM = Problem(
    name="multiplication",
    title="Long multiplication",
    description="Multiply two numbers of K digits by partial products, one for each digit, and add them up.",
    default_difficulty=2,
    difficulty_range=(1, 8),
    generate=generate,
    check=check,
    group=group,
)
