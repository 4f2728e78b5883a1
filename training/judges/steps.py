"""What the steps of an output are worth, whatever its recipe."""

from training.arithmetic import check_steps
from training.judges.judge import Item, Judge, Judgement
from training.judges.outputs import shown_steps


def judge_arithmetic(item: Item, output: str, recipe: str) -> Judgement | None:
    """The share of the equations in the steps that hold; None where no step has one that can be checked.

    Neither 1 nor 0 would be true of steps without sums: they are left out of the mean.
    """
    steps = shown_steps(output)
    checked = check_steps(steps)
    equations = [equation for step in checked.equations for equation in step]
    if not equations:
        return None
    holding = sum(equation.ok for equation in equations)
    if checked.first_wrong is None:
        return Judgement(1.0, f"{_count(len(equations), 'equation')} in the steps, none wrong")
    wrong = next(equation for equation in checked.equations[checked.first_wrong] if not equation.ok)
    reason = f"{holding} of {_count(len(equations), 'equation')} hold; step {checked.first_wrong + 1}: {wrong.reason}"
    return Judgement(holding / len(equations), reason)


def judge_count(item: Item, output: str, recipe: str) -> Judgement:
    """How near the number of steps shown is to the reference's: the smaller of the two over the larger.

    An item without a reference's steps asks for at least one.
    """
    shown, reference = len(shown_steps(output)), len(item.get("steps") or ())
    if not reference:
        return Judgement(float(shown > 0), f"shows {_count(shown, 'step')}; the item has no reference to count")
    score = min(shown, reference) / max(shown, reference)
    return Judgement(score, f"shows {_count(shown, 'step')}, the reference has {reference}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


STEP_ARITHMETIC = Judge("step_arithmetic", "1", judge_arithmetic)
STEP_COUNT = Judge("step_count", "1", judge_count)
