"""A row as the model sees it: Gemma turns around a prompt, and the recipes that write the response.

A row is a mapping with `prompt`, `steps` (`[{"i", "type", "content"}]`) and `final_answer`. Training, examination and
exports all render here, so the prompt a model is examined on is byte for byte the prompt it was taught on. Control
tokens and people's text are kept apart as segments: a turn token that somebody typed into a prompt stays text.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from training.errors import Fault, Invalid, echo

TRACE_SFT = "trace_sft_v1"  # the steps, then the answer
ANSWER_ONLY = "answer_only_v1"  # the answer alone
RECIPES = (TRACE_SFT, ANSWER_ONLY)
DEFAULT_INSTRUCTION = "Show your work as steps"
START_OF_TURN = "<start_of_turn>"
END_OF_TURN = "<end_of_turn>"

Row = Mapping[str, Any]


class Segment(NamedTuple):
    """A piece of a rendered row: text that people wrote, or one control token."""

    text: str
    control: bool = False


def render(row: Row, recipe: str, instruction: str) -> str:
    """The whole turn pair: `render_prompt`, then `render_response`."""
    return render_prompt(row["prompt"], instruction) + render_response(row, recipe)


def render_prompt(prompt: str, instruction: str) -> str:
    """The prefix that ends with `<start_of_turn>model` and a newline; an empty instruction leaves no trace."""
    return _join(prompt_segments(prompt, instruction))


def render_response(row: Row, recipe: str) -> str:
    """What the model learns to say after the prefix, `<end_of_turn>` included. Raises Invalid on an unknown recipe."""
    return _join(response_segments(row, recipe))


def plain_prompt(prompt: str, instruction: str) -> str:
    """The user's turn as text without turn tokens."""
    return f"{instruction}\n\n{prompt}" if instruction else prompt


def plain_response(row: Row, recipe: str) -> str:
    """The model's turn as text without turn tokens; steps are numbered from 1 in order of `i`."""
    check_recipe(recipe)
    answer = f"Answer: {row['final_answer']}"
    if recipe == ANSWER_ONLY:
        return answer
    steps = sorted(row["steps"], key=lambda step: step["i"])
    numbered = [f"{number}. {step['content']}" for number, step in enumerate(steps, start=1)]
    return "\n".join(["Reasoning:", *numbered, answer])


def prompt_segments(prompt: str, instruction: str) -> list[Segment]:
    """The pieces of `render_prompt`."""
    return [
        Segment(START_OF_TURN, control=True),
        Segment(f"user\n{plain_prompt(prompt, instruction)}"),
        Segment(END_OF_TURN, control=True),
        Segment("\n"),
        Segment(START_OF_TURN, control=True),
        Segment("model\n"),
    ]


def response_segments(row: Row, recipe: str) -> list[Segment]:
    """The pieces of `render_response`."""
    return [Segment(plain_response(row, recipe)), Segment(END_OF_TURN, control=True)]


def check_recipe(recipe: str) -> None:
    """Raises Invalid when no recipe has this name."""
    if recipe not in RECIPES:
        msg = f"{echo(recipe)} is no recipe; use one of: {', '.join(RECIPES)}"
        raise Invalid(Fault(("recipe",), msg, "unknown_recipe"))


def _join(segments: Iterable[Segment]) -> str:
    return "".join(segment.text for segment in segments)
