"""Outputs of the form `<reasoning>…</reasoning><answer>…</answer>`, taken apart in linear time."""

from training.renderers import REASONING_TAGS, find_recipe

RECIPE = find_recipe(REASONING_TAGS)
REASONING, ANSWER = (part for part in (RECIPE.steps, RECIPE.answer) if part)
TAGS = (*REASONING, *ANSWER)


def tagged_steps(output: str) -> list[str]:
    """The lines of the reasoning that are not blank. Of a reasoning that is cut off, those that are there."""
    _, _, rest = output.partition(REASONING.opening)
    reasoning, closed, _ = rest.partition(REASONING.closing)
    if not closed:
        reasoning, _, _ = rest.partition(ANSWER.opening)
    return [line.strip() for line in reasoning.split("\n") if line.strip()]


def tagged_answer(output: str) -> str | None:
    """What the last answer that is closed holds: one that is not may have been cut in the middle of a number."""
    before, _, _ = output.rpartition(ANSWER.closing)
    _, opened, answer = before.rpartition(ANSWER.opening)
    return (answer.strip() or None) if opened else None


def tag_fault(output: str) -> str:
    """Why the output is not of this form, or "". Space around the tags is no fault."""
    for tag in TAGS:
        if (count := output.count(tag)) != 1:
            return f"has {tag} {count} times; it belongs there once"
    places = [output.index(tag) for tag in TAGS]
    if places != sorted(places):
        return f"has its tags in another order than {' … '.join(TAGS)}"
    starts = [0, *(place + len(tag) for place, tag in zip(places, TAGS, strict=True))]
    before, reasoning, between, answer, after = (
        output[start:end].strip() for start, end in zip(starts, [*places, len(output)], strict=True)
    )
    if before:
        return f"does not begin with {REASONING.opening}"
    if not reasoning:
        return "has nothing between the tags of the reasoning"
    if between:
        return f"has text between {REASONING.closing} and {ANSWER.opening}"
    if not answer:
        return "has nothing between the tags of the answer"
    return "goes on after the answer" if after else ""
