"""A row as the model sees it: Gemma turns around a prompt, and the recipes that write the response.

A row is a mapping with `prompt`, `steps` (`[{"i", "type", "content"}]`) and `final_answer`. Training, examination and
exports all render here, so the prompt a model is examined on is byte for byte the prompt it was taught on. Control
tokens and people's text are kept apart as segments: a turn token that somebody typed into a prompt stays text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from training.errors import Fault, Invalid, echo

DEFAULT_INSTRUCTION = "Show your work as steps"
START_OF_TURN = "<start_of_turn>"
END_OF_TURN = "<end_of_turn>"

Row = Mapping[str, Any]

# The same turns for libraries that render chats with Jinja. A system turn is what we call the instruction.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% set instruction = messages[0].content if messages[0].role == 'system' else '' %}"
    "{% for message in (messages[1:] if messages[0].role == 'system' else messages) %}"
    f"{{{{ '{START_OF_TURN}' + ('model' if message.role == 'assistant' else message.role) + '\n' }}}}"
    "{{ instruction + '\n\n' if loop.first and instruction else '' }}"
    f"{{{{ message.content + '{END_OF_TURN}\n' }}}}"
    "{% endfor %}"
    f"{{{{ '{START_OF_TURN}model\n' if add_generation_prompt else '' }}}}"
)


class Frame(NamedTuple):
    """What stands directly before and after a part of a response."""

    opening: str
    closing: str


@dataclass(frozen=True)
class Recipe:
    """How the model's turn is written: the steps in their frame, one a line, then the answer in its frame.

    What people wrote between the frames is never changed: a step of several lines stays one of several lines.
    """

    name: str  # with its version: a recipe that models were taught by never changes
    about: str  # for people who choose one
    steps: Frame | None  # None leaves them out
    numbered: bool  # whether `1. `, `2. ` … stand before the steps
    answer: Frame
    instruction: str  # stands before the prompt where neither the run's config nor the dataset says anything


TRACE_SFT, ANSWER_ONLY, REASONING_TAGS = "trace_sft_v1", "answer_only_v1", "reasoning_tags_v1"
RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            TRACE_SFT,
            "numbered steps, then the answer",
            steps=Frame("Reasoning:\n", "\n"),
            numbered=True,
            answer=Frame("Answer: ", ""),
            instruction=DEFAULT_INSTRUCTION,
        ),
        Recipe(
            ANSWER_ONLY,
            "the answer alone",
            steps=None,
            numbered=False,
            answer=Frame("Answer: ", ""),
            instruction=DEFAULT_INSTRUCTION,
        ),
        # The tags of Google Tunix's GRPO examples (google/tunix, tunix/cli/reward_fn/gsm8k.py). No space or newline
        # stands within them: the full reward there is for an answer that equals the expected one without stripping.
        Recipe(
            REASONING_TAGS,
            "steps and answer in Tunix's tags",
            steps=Frame("<reasoning>", "</reasoning>"),
            numbered=False,
            answer=Frame("<answer>", "</answer>"),
            instruction=(
                f"{DEFAULT_INSTRUCTION}, one a line, between <reasoning> and </reasoning>. "
                "Then write the final answer alone between <answer> and </answer>."
            ),
        ),
    )
}


class Segment(NamedTuple):
    """A piece of a rendered row: text that people wrote, or one control token."""

    text: str
    control: bool = False


OPENING, CLOSING = Segment(START_OF_TURN, control=True), Segment(END_OF_TURN, control=True)
LINE_END, MODEL = Segment("\n"), Segment("model\n")


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
    """The model's turn as text without turn tokens; steps stand in order of `i`, numbers begin at 1."""
    form = find_recipe(recipe)
    answer = f"{form.answer.opening}{row['final_answer']}{form.answer.closing}"
    if form.steps is None:
        return answer
    steps = [step["content"] for step in sorted(row["steps"], key=lambda step: step["i"])]
    if form.numbered:
        steps = [f"{number}. {content}" for number, content in enumerate(steps, start=1)]
    return "".join([form.steps.opening, "\n".join(steps), form.steps.closing, answer])


def prompt_segments(prompt: str, instruction: str) -> list[Segment]:
    """The pieces of `render_prompt`."""
    return [OPENING, Segment(f"user\n{plain_prompt(prompt, instruction)}"), CLOSING, LINE_END, OPENING, MODEL]


def response_segments(row: Row, recipe: str) -> list[Segment]:
    """The pieces of `render_response`."""
    return [Segment(plain_response(row, recipe)), CLOSING]


def find_recipe(name: str) -> Recipe:
    """The recipe of that name. Raises Invalid when there is none."""
    if not isinstance(name, str) or name not in RECIPES:  # a manifest may hold anything
        msg = f"{echo(name)} is no recipe; use one of: {', '.join(RECIPES)}"
        raise Invalid(Fault(("recipe",), msg, "unknown_recipe"))
    return RECIPES[name]


def _join(segments: Iterable[Segment]) -> str:
    return "".join([segment.text for segment in segments])
