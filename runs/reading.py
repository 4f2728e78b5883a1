"""A generation read step by step, each step checked where the problem is one that can be checked."""

from typing import NamedTuple

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
    problem = problem_of(prompt)
    if problem is None:
        return [Step(text) for text in texts]
    trace = {"prompt": prompt, "steps": [{"i": i, "type": "compute", "content": text} for i, text in enumerate(texts)]}
    steps: list[Step] = []
    mistaken = False
    for text, check in zip(texts, problem.check(trace), strict=True):
        steps.append(Step(text) if mistaken else Step(text, check.ok, check.reason))
        mistaken = mistaken or not check.ok
    return steps
