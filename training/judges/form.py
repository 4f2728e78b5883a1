"""Whether an output has the form that its recipe taught."""

from training.judges.judge import Item, Judge, Judgement
from training.judges.outputs import (
    STEP,
    clean_output,
    first_lines,
    is_answer,
    lines_of,
    numbered_steps,
    split_at_answer,
)
from training.renderers import REASONING_TAGS, TRACE_SFT, find_recipe
from training.tags import tag_fault


def judge_form(item: Item, output: str, recipe: str) -> Judgement:
    """1 for the recipe's form and nothing else: the marks once, in order and closed. What is cut off scores 0."""
    find_recipe(recipe)
    is_tagged = recipe == REASONING_TAGS
    fault = tag_fault(clean_output(output)[0]) if is_tagged else _form_fault(item, lines_of(output), recipe)
    return Judgement(0.0, fault) if fault else Judgement(1.0, f"is of the form of {recipe}")


FORMAT_VALID = Judge("format_valid", "1", judge_form)


def _form_fault(item: Item, lines: list[str], recipe: str) -> str:
    """Why the output is not what the recipe taught, or ""."""
    above, answer = split_at_answer(lines)
    answers = sum(map(is_answer, lines))
    if answers != 1:
        return f"has {answers} lines that begin with `Answer:`; one belongs there"
    if answer is None:
        return "has nothing after `Answer:`"
    if answer != first_lines(item, answer):
        return "goes on after the answer"
    return _reasoning_fault(above) if recipe == TRACE_SFT else "has text before the answer" if above else ""


def _reasoning_fault(above: list[str]) -> str:
    if not above or above[0].strip() != "Reasoning:":
        return "does not begin with `Reasoning:`"
    steps = numbered_steps(above)
    if not steps or not STEP.fullmatch(above[1]):
        return "has no numbered step after `Reasoning:`"
    for expected, (given, text) in enumerate(steps, start=1):
        if given != expected:
            return f"has a step numbered {given} where {expected} belongs"
        if not text:
            return f"has nothing in step {given}"
    return ""
