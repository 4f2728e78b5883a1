"""Problems made by rule, with worked steps that can be checked. A new one is a file here that holds a PROBLEM."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from random import Random

from training.errors import Fault, Invalid, echo
from training.problems.problem import Problem, StepCheck, Worked
from training.schema import TRACE_VERSION

__all__ = ["PROBLEMS", "Problem", "StepCheck", "Worked", "generate_traces", "problem_of", "solution_of"]

_FILES = [import_module(f"{__name__}.{file.name}") for file in iter_modules(__path__)]  # in order of their names
PROBLEMS: dict[str, Problem] = {file.PROBLEM.name: file.PROBLEM for file in _FILES if hasattr(file, "PROBLEM")}


def generate_traces(name: str, *, count: int, seed: int, difficulty: int | None = None) -> Iterator[dict]:
    """`count` traces of a problem; row i depends on problem, difficulty, seed and i only.

    Raises Invalid, before the first row, for an unknown problem or a number out of its range.
    """
    if name not in PROBLEMS:
        message = f"{echo(name)} is not a problem; choose one of {', '.join(PROBLEMS)}"
        raise Invalid(Fault(("problem",), message, "unknown_problem"))
    problem = PROBLEMS[name]
    difficulty = problem.default_difficulty if difficulty is None else difficulty
    _check_range("difficulty", difficulty, *problem.difficulty_range)
    _check_range("seed", seed, 0, 2**63 - 1)
    _check_range("count", count, 1, 1_000_000)
    return (_trace(problem, difficulty, seed, index) for index in range(count))


def problem_of(prompt: str) -> Problem | None:
    """The problem that a prompt is one of, told by its words; None for every other prompt."""
    return next((problem for problem in PROBLEMS.values() if problem.group(prompt) is not None), None)


def solution_of(payload: dict) -> Worked | None:
    """The worked solution of a generated problem, made again from what its `meta` tells; None where there is none."""
    match payload["meta"]:
        case {"problem": str(name), "difficulty": int(difficulty), "seed": int(seed), "index": int(index)}:
            problem = PROBLEMS.get(name)
        case _:
            return None
    if problem is None or not problem.difficulty_range[0] <= difficulty <= problem.difficulty_range[1]:
        return None
    worked = _worked(problem, difficulty, seed, index)
    return worked if worked.prompt == payload["prompt"] else None


def _worked(problem: Problem, difficulty: int, seed: int, index: int) -> Worked:
    return problem.generate(Random(f"{problem.name}:{difficulty}:{seed}:{index}"), difficulty)


def _trace(problem: Problem, difficulty: int, seed: int, index: int) -> dict:
    worked = _worked(problem, difficulty, seed, index)
    return {
        "trace_version": TRACE_VERSION,
        "prompt": worked.prompt,
        "steps": [{"i": i, "type": "compute", "content": step} for i, step in enumerate(worked.steps)],
        "final_answer": worked.final_answer,
        "meta": {
            "source": "generated",
            "problem": problem.name,
            "difficulty": difficulty,
            "seed": seed,
            "index": index,
        },
    }


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise Invalid(Fault((name,), f"is {value}; it must lie between {low} and {high}", "number_out_of_range"))
