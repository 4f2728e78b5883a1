"""A free-text response taken apart into the steps it shows and the answer it ends with."""

import re
from typing import NamedTuple

from training.errors import Fault, Invalid
from training.formats.format import lines_of
from training.json_rules import Loc

REASONING_TAG = re.compile(r"<(/?)(think|reasoning)>")
NUMBERING = re.compile(r"\d{1,3}[.)]\s+")
ANSWER_MARK = re.compile(r"[*_]{0,2}(?:final )?answer[*_]{0,2}:[*_]{0,2}(.*)", re.IGNORECASE)  # "**Answer:** 4"
FINAL_MARK = re.compile(r"####(.*)")  # on the last line only: elsewhere it is a heading
RENDERED_HEAD = "Reasoning:\n"
RENDERED_ANSWER = "Answer: "
NO_REASONING = (
    "shows no reasoning; write its steps on lines of their own before the answer, "
    "or between <think> and </think>, or in reasoning_content"
)


class Worked(NamedTuple):
    """What a response shows: its steps, never none, and its answer."""

    steps: list[str]
    final_answer: str


def split_response(text: str, loc: Loc, reasoning: str = "") -> Worked:
    """The steps and the answer of a response that ends a conversation or completes a prompt.

    What shows where the answer begins, first come first served: the end of <think> or <reasoning>; <answer>; our own
    rendering; a last line `#### …`; the last line that begins with `Answer:` or `Final answer:`; else the last of
    several lines.
    `reasoning` is what a separate field shows. Raises Invalid at `loc` where no step is shown.
    """
    tagged, rest = split_reasoning(text, loc)
    steps = _steps(f"{reasoning}\n{tagged}")
    if steps:
        _, answer = _split_answer_tag(rest, loc)
        return Worked(steps, answer if answer is not None else rest.strip())
    worked = _untagged(rest.strip(), loc)
    if not worked.steps:
        raise Invalid(Fault(loc, NO_REASONING, "missing_field"))
    return worked


def split_reasoning(text: str, loc: Loc) -> tuple[str, str]:
    """What stands between the reasoning tags, and the rest. Some chat templates leave the opening tag out."""
    tag = REASONING_TAG.search(text)
    if not tag:
        return "", text
    if tag[1]:
        reasoning, rest = text[: tag.start()], text[tag.end() :]
    else:
        reasoning, closing, rest = text[tag.end() :].partition(f"</{tag[2]}>")
        if not closing:
            raise Invalid(Fault(loc, f"opens {tag[0]} and does not close it", "missing_field"))
        rest = text[: tag.start()] + rest
    if REASONING_TAG.search(rest):
        raise Invalid(Fault(loc, "has more than one block of reasoning; give one", "wrong_order"))
    return reasoning, rest


def _split_answer_tag(text: str, loc: Loc) -> tuple[str, str | None]:
    """What stands before <answer>, and what stands in it; None where there is no such tag."""
    before, tag, tagged = text.partition("<answer>")
    if not tag:
        return text, None
    answer, closing, _ = tagged.partition("</answer>")
    if not closing:
        raise Invalid(Fault(loc, "opens <answer> and does not close it", "missing_field"))
    return before, answer.strip()


def _untagged(text: str, loc: Loc) -> Worked:
    before, answer = _split_answer_tag(text, loc)
    if answer is not None:
        return Worked(_steps(before), answer)
    return _rendered(text) or _marked(text) or _last_line(text)


def _rendered(text: str) -> Worked | None:
    """The steps exactly as `training.renderers.plain_response` numbered them, those of several lines too."""
    if not text.startswith(RENDERED_HEAD):
        return None
    steps: list[str] = []
    lines = text.removeprefix(RENDERED_HEAD).split("\n")
    for index, line in enumerate(lines):
        number = f"{len(steps) + 1}. "
        if line.startswith(number):
            steps.append(line.removeprefix(number))
        elif line.startswith(RENDERED_ANSWER) and steps:
            return Worked(steps, "\n".join(lines[index:]).removeprefix(RENDERED_ANSWER))
        elif steps:
            steps[-1] += f"\n{line}"
        else:
            return None
    return None


def _marked(text: str) -> Worked | None:
    lines = text.split("\n")
    for index in range(len(lines) - 1, -1, -1):
        line = lines[index].strip()
        if mark := ANSWER_MARK.match(line) or (index == len(lines) - 1 and FINAL_MARK.match(line)):
            answer = "\n".join([mark[1], *lines[index + 1 :]]).strip()
            return Worked(_steps("\n".join(lines[:index])), answer)
    return None


def _last_line(text: str) -> Worked:
    *steps, answer = lines_of(text) or [""]
    return Worked(_steps("\n".join(steps)), answer)


def _steps(text: str) -> list[str]:
    lines = lines_of(text)
    if lines and lines[0] == RENDERED_HEAD.strip():
        del lines[0]
    return [step for line in lines if (step := NUMBERING.sub("", line, count=1))]
