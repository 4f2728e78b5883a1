"""What a right answer is. Every judge reads the output as any program's input: bounded, cleaned, in linear time."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from training.errors import Fault, Invalid, echo
from training.renderers import REASONING_TAGS, TRACE_SFT, find_recipe
from training.tags import REASONING, tag_fault, tagged_answer, tagged_steps

MAX_OUTPUT_BYTES = 64 * 1024
MAX_NUMBER = 64  # characters; a longer number is compared as text

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
STEP = re.compile(r"\s*([0-9]{1,6})\.(?:\s+(.*))?")
NUMBER = re.compile(
    r"\$?([+-]?)\$?"  # $-5 and -$5 alike
    r"([0-9]+/0*[1-9][0-9]*"  # 3/4
    r"|(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?(?:e[+-]?[0-9]{1,2})?"  # 1,234.50 and 2e3
    r"|\.[0-9]+)"
    r"\s?%?",
    re.IGNORECASE,
)
QUOTES = "\"'`“”‘’«»*_()"  # and what else people put around a word
PUNCTUATION = ".,;:!?"

Item = Mapping[str, Any]


class ParsedOutput(NamedTuple):
    """An output taken apart; `answer` is None where none is given in the way the recipe teaches."""

    steps: list[str]
    answer: str | None


class Judgement(NamedTuple):
    """A score in [0, 1] and the reason for it, a sentence for people."""

    score: float
    reason: str


class Judge(NamedTuple):
    """Scores an output to an item (a mapping with `expected_answer`) of a model taught by a recipe.

    `version` changes whenever the same output could get another score.
    """

    name: str
    version: str
    judge: Callable[[Item, str, str], Judgement]


def judge_output(item: Item, output: str, recipe: str, judges: Iterable[str] | None = None) -> dict:
    """`{"answer", "correct", "judges": {name: {"version", "score", "reason"}}}` by the named judges, default all.

    Raises Invalid for a judge or a recipe that does not exist.
    """
    verdicts = {}
    for judge in map(find_judge, JUDGES if judges is None else judges):
        judgement = judge.judge(item, output, recipe)
        verdicts[judge.name] = {"version": judge.version, **judgement._asdict()}
    answer = _answer(item, output, recipe)
    return {"answer": answer, "correct": _is_right(item, answer), "judges": verdicts}


def find_judge(name: str) -> Judge:
    """The judge of that name; raises Invalid when there is none."""
    if name not in JUDGES:
        msg = f"{echo(name)} is no judge; use one of: {', '.join(JUDGES)}"
        raise Invalid(Fault(("judges",), msg, "unknown_judge"))
    return JUDGES[name]


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
    above, answer = _split(_lines(output))
    steps = [text for _, text in _numbered(above)] if recipe == TRACE_SFT else []
    return ParsedOutput(steps, answer)


def shown_steps(output: str) -> list[str]:
    """The steps that an output shows, whatever its recipe: between the tags of a reasoning, or else numbered."""
    is_tagged = output.lstrip().startswith(REASONING.opening)
    return parse_output(output, REASONING_TAGS if is_tagged else TRACE_SFT).steps


def clean_output(text: str) -> tuple[str, bool]:
    """`text` as files, databases and pages can hold it, and whether that changed it.

    NUL and lone surrogates become U+FFFD; what lies beyond 64 KiB of UTF-8 is cut. Whoever shows it escapes it.
    """
    clean = UNSTORABLE.sub("\ufffd", text[:MAX_OUTPUT_BYTES])
    clean = clean.encode()[:MAX_OUTPUT_BYTES].decode(errors="ignore")
    return clean, clean != text


def same_answer(answer: str, expected: str) -> bool:
    """True when both are the same number, or, if neither is a number, the same text but for its dress."""
    ours, theirs = number(answer), number(expected)
    return normalise(answer) == normalise(expected) if ours is None and theirs is None else ours == theirs


def number(text: str) -> Fraction | None:
    """The exact value of an integer, decimal or simple fraction; `$`, `%` and thousands commas are dress.

    None for everything else, superscripts and `1½` included: NFKC would turn those into other numbers.
    """
    text = text.strip()
    if len(text) > MAX_NUMBER or any(unicodedata.category(char) == "No" for char in text):
        return None
    plain = unicodedata.normalize("NFKC", text).replace("−", "-").strip(QUOTES).rstrip(".,;:").strip(QUOTES)
    match = NUMBER.fullmatch(plain)
    return Fraction(match[1] + match[2].replace(",", "")) if match else None


def normalise(text: str) -> str:
    """`text` in NFKC, without case, extra spaces, surrounding quotes and closing punctuation."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return plain.strip(QUOTES).rstrip(PUNCTUATION + QUOTES).strip() or plain


def _judge_answer(item: Item, output: str, recipe: str) -> Judgement:
    answer = _answer(item, output, recipe)
    if answer is None:
        opening, closing = find_recipe(recipe).answer
        place = f"between `{opening}` and `{closing}`" if closing else f"after `{opening.strip()}`"
        return Judgement(0.0, f"the output ends without an answer {place}")
    if _is_right(item, answer):
        return Judgement(1.0, "the answer is the expected one")
    return Judgement(0.0, f"answered {echo(answer)}, expected {echo(item['expected_answer'])}")


def _judge_format(item: Item, output: str, recipe: str) -> Judgement:
    find_recipe(recipe)
    is_tagged = recipe == REASONING_TAGS
    fault = tag_fault(clean_output(output)[0]) if is_tagged else _format_fault(item, _lines(output), recipe)
    return Judgement(0.0, fault) if fault else Judgement(1.0, f"is of the form of {recipe}")


JUDGES: dict[str, Judge] = {
    judge.name: judge
    for judge in (Judge("answer_correctness", "1", _judge_answer), Judge("format_valid", "1", _judge_format))
}


def _is_right(item: Item, answer: str | None) -> bool:
    return answer is not None and same_answer(answer, item["expected_answer"])


def _answer(item: Item, output: str, recipe: str) -> str | None:
    """The answer that is judged: what a closing tag ends, or the lines of it that may hold it."""
    answer = parse_output(output, recipe).answer
    return answer if answer is None or recipe == REASONING_TAGS else _first_lines(item, answer)


def _first_lines(item: Item, answer: str) -> str:
    """As many lines of the answer as the expected one has: talk that follows is a matter of format."""
    wanted = len(item["expected_answer"].strip().split("\n"))
    return "\n".join(answer.split("\n")[:wanted]).strip()


def _format_fault(item: Item, lines: list[str], recipe: str) -> str:
    """Why the output is not what the recipe taught, or ""."""
    above, answer = _split(lines)
    answers = sum(map(_is_answer, lines))
    if answers != 1:
        return f"has {answers} lines that begin with `Answer:`; one belongs there"
    if answer is None:
        return "has nothing after `Answer:`"
    if answer != _first_lines(item, answer):
        return "goes on after the answer"
    return _reasoning_fault(above) if recipe == TRACE_SFT else "has text before the answer" if above else ""


def _reasoning_fault(above: list[str]) -> str:
    if not above or above[0].strip() != "Reasoning:":
        return "does not begin with `Reasoning:`"
    steps = _numbered(above)
    if not steps or not STEP.fullmatch(above[1]):
        return "has no numbered step after `Reasoning:`"
    for expected, (given, text) in enumerate(steps, start=1):
        if given != expected:
            return f"has a step numbered {given} where {expected} belongs"
        if not text:
            return f"has nothing in step {given}"
    return ""


def _lines(output: str) -> list[str]:
    return clean_output(output)[0].strip().split("\n")


def _is_answer(line: str) -> bool:
    return line.lstrip().startswith("Answer:")


def _split(lines: list[str]) -> tuple[list[str], str | None]:
    """The lines above the last `Answer:` line, and all that follows its colon."""
    last = max((index for index, line in enumerate(lines) if _is_answer(line)), default=None)
    if last is None:
        return lines, None
    answer = "\n".join(lines[last:]).lstrip().removeprefix("Answer:").strip()
    return lines[:last], answer or None


def _numbered(lines: list[str]) -> list[tuple[int, str]]:
    """The steps among the lines with the numbers they were given."""
    steps: list[tuple[int, list[str]]] = []
    for line in lines:
        if match := STEP.fullmatch(line):
            steps.append((int(match[1]), [match[2] or ""]))
        elif steps:
            steps[-1][1].append(line)
    return [(given, "\n".join(texts).strip()) for given, texts in steps]
