"""A generation read step by step, each step checked: by the problem's own rules, else by the sums in it."""

from collections.abc import Iterator
from typing import NamedTuple

from training.arithmetic import check_steps
from training.judges import parse_output
from training.problems import problem_of


class Step(NamedTuple):
    """A step as the model wrote it. Steps after the first wrong one are neither right nor wrong (`ok` None)."""

    text: str
    ok: bool | None = None
    reason: str = ""


def read_steps(prompt: str, output: str, recipe: str) -> list[Step]:
    """The steps of an output. Only the first mistake is marked: what follows from it is no mistake of its own."""
    texts = parse_output(output, recipe).steps
    steps: list[Step] = []
    mistaken = False
    for text, (ok, reason) in zip(texts, _checked(prompt, texts), strict=True):
        steps.append(Step(text) if mistaken else Step(text, ok, reason))
        mistaken = mistaken or ok is False
    return steps


def first_wrong(steps: list[Step]) -> int | None:
    """The index of the step with the mistake."""
    return next((at for at, step in enumerate(steps) if step.ok is False), None)


def _checked(prompt: str, texts: list[str]) -> Iterator[tuple[bool | None, str]]:
    """Of each step, whether it is right, and why not; None where nothing in it can be checked."""
    if problem := problem_of(prompt):
        steps = [{"i": i, "type": "compute", "content": text} for i, text in enumerate(texts)]
        yield from ((check.ok, check.reason) for check in problem.check({"prompt": prompt, "steps": steps}))
        return
    for equations in check_steps(texts).equations:
        wrong = next((equation for equation in equations if not equation.ok), None)
        yield (wrong is None if equations else None), (wrong.reason if wrong else "")
