"""An output taken apart: bounded, cleaned and in linear time, as any program's input."""

import re
from typing import NamedTuple

from training.judges.judge import Item
from training.renderers import REASONING_TAGS, TRACE_SFT, find_recipe
from training.tags import REASONING, tagged_answer, tagged_steps

MAX_OUTPUT_BYTES = 64 * 1024

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
STEP = re.compile(r"\s*([0-9]{1,6})\.(?:\s+(.*))?")


class ParsedOutput(NamedTuple):
    """An output taken apart; `answer` is None where none is given in the way the recipe teaches."""

    steps: list[str]
    answer: str | None


def parse_output(output: str, recipe: str) -> ParsedOutput:
    """The steps and the answer that an output shows in the way the recipe teaches. Raises Invalid on an unknown recipe.

    The answer is the text after the last `Answer:` that begins a line; the numbered lines above it are the steps. A
    line without a number continues the step above it. `answer_only_v1` has no steps. With `reasoning_tags_v1` the
    steps are the lines between the tags of the reasoning, and the answer is what the last closed answer holds.
    """
    find_recipe(recipe)
    if recipe == REASONING_TAGS:
        clean, _ = clean_output(output)
        return ParsedOutput(tagged_steps(clean), tagged_answer(clean))
    above, answer = split_at_answer(lines_of(output))
    steps = [text for _, text in numbered_steps(above)] if recipe == TRACE_SFT else []
    return ParsedOutput(steps, answer)


def shown_steps(output: str) -> list[str]:
    """The steps that an output shows, whatever its recipe: between the tags of a reasoning, or else numbered."""
    is_tagged = output.lstrip().startswith(REASONING.opening)
    return parse_output(output, REASONING_TAGS if is_tagged else TRACE_SFT).steps


def judged_answer(item: Item, output: str, recipe: str) -> str | None:
    """The answer that is judged: what a closing tag ends, or the lines of it that may hold it."""
    answer = parse_output(output, recipe).answer
    return answer if answer is None or recipe == REASONING_TAGS else first_lines(item, answer)


def clean_output(text: str) -> tuple[str, bool]:
    """`text` as files, databases and pages can hold it, and whether that changed it.

    NUL and lone surrogates become U+FFFD; what lies beyond 64 KiB of UTF-8 is cut. Whoever shows it escapes it.
    """
    clean = UNSTORABLE.sub("\ufffd", text[:MAX_OUTPUT_BYTES])
    clean = clean.encode()[:MAX_OUTPUT_BYTES].decode(errors="ignore")
    return clean, clean != text


def first_lines(item: Item, answer: str) -> str:
    """As many lines of the answer as the expected one has: talk that follows is a matter of format."""
    wanted = len(item["expected_answer"].strip().split("\n"))
    return "\n".join(answer.split("\n")[:wanted]).strip()


def lines_of(output: str) -> list[str]:
    return clean_output(output)[0].strip().split("\n")


def is_answer(line: str) -> bool:
    return line.lstrip().startswith("Answer:")


def split_at_answer(lines: list[str]) -> tuple[list[str], str | None]:
    """The lines above the last `Answer:` line, and all that follows its colon."""
    last = max((index for index, line in enumerate(lines) if is_answer(line)), default=None)
    if last is None:
        return lines, None
    answer = "\n".join(lines[last:]).lstrip().removeprefix("Answer:").strip()
    return lines[:last], answer or None


def numbered_steps(lines: list[str]) -> list[tuple[int, str]]:
    """The steps among the lines with the numbers they were given."""
    steps: list[tuple[int, list[str]]] = []
    for line in lines:
        if match := STEP.fullmatch(line):
            steps.append((int(match[1]), [match[2] or ""]))
        elif steps:
            steps[-1][1].append(line)
    return [(given, "\n".join(texts).strip()) for given, texts in steps]
