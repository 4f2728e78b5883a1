"""Whether a trace can be taught as it is: what in its texts a model should not learn to write."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from traces.scorers.scorer import Judged, Scorer, remarked

MIN_PROMPT = 20  # characters of a prompt that are no chance when a step repeats them
LONG_ANSWER = 200  # characters of a final answer that might hold the work itself

CONTENT = re.compile(r"\w|[^\x00-\x7f]")
NUMBERED = re.compile(r"\s*(?:[0-9]{1,3}[.)]|[Ss]tep [0-9]{1,3}[:.)]|[-*•])[ \t]+\S")
OWN_NUMBER = re.compile(r"\s*(?:[0-9]{1,3}[.)][ \t]+|(?:\*\*)?[Ss]tep [0-9]{1,3}\b)")
TAGS = re.compile(
    r"</?(?:think|thinking|thought|reasoning|answer|solution|scratchpad|tool_call)>"
    r"|<\|[a-zA-Z_]{2,30}\|>|</?s>|<(?:start|end)_of_turn>|<(?:bos|eos|pad)>|\[/?INST\]"
)
NOTES = re.compile(r"<<[^<>\n]{0,200}>>")
MARKUP = re.compile(
    r"</?(?:p|br|div|span|b|i|em|strong|sub|sup|ul|ol|li|a|img|table|tr|td)\b[^<>\n]{0,200}>|&(?:nbsp|lt|gt|amp|quot|#[0-9]{1,5});"
)
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
BROKEN = re.compile("\ufffd|â€[\x80-\xbf\u2018-\u2122]|Ã[\x80-\xbf©¨¢®´]|Â[\xa0£©°·]")
CUT_OFF = re.compile(r"(?:[,(\[{=+×*/]|\b(?:and|or|the|of|is|to))\s*$")
PREFIX = re.compile(r"\s*(?:####|(?:the )?(?:final )?answer\s*(?:is\b|:))", re.IGNORECASE)


class Finding(NamedTuple):
    """A fault with the points it costs and the `i` of the step, None where it is the answer's."""

    name: str
    weight: int
    reason: str
    i: int | None = None


def score(payload: dict) -> Judged:
    """100 less the weight of each kind of fault, once however often it occurs."""
    found = list(findings(payload))
    weights = {finding.name: finding.weight for finding in found}
    named = {
        name: {"weight": weight, "count": sum(other.name == name for other in found)}
        for name, weight in weights.items()
    }
    remarks = ((finding.i, finding.reason) for finding in found if finding.i is not None)
    answer = [finding.reason for finding in found if finding.i is None]
    return float(max(0, 100 - sum(weights.values()))), {"findings": named, "answer": answer} | remarked(remarks)


def findings(payload: dict) -> Iterator[Finding]:
    """Every fault of a trace, those of steps first."""
    for step in payload["steps"]:
        for name, (weight, reason, is_fault) in (ANYWHERE | IN_STEPS).items():
            if is_fault(step["content"]):
                yield Finding(name, weight, f"the step {reason}", step["i"])
    yield from _of_prompt(payload)
    yield from _of_answer(payload)


def _of_prompt(payload: dict) -> Iterator[Finding]:
    first, prompt = payload["steps"][0], _words(payload["prompt"])
    if len(prompt) >= MIN_PROMPT and prompt in _words(first["content"]):
        yield Finding("prompt_in_step", 20, "the step repeats the whole prompt", first["i"])
    last = payload["steps"][-1]
    if CUT_OFF.search(last["content"]):
        yield Finding("cut_off", 20, "the last step stops in mid-sentence", last["i"])


def _of_answer(payload: dict) -> Iterator[Finding]:
    answer = payload["final_answer"]
    for name, (weight, reason, is_fault) in (ANYWHERE | IN_ANSWERS).items():
        if is_fault(answer):
            yield Finding(name, weight, f"the final answer {reason}")
    if len(answer) > max(LONG_ANSWER, sum(len(step["content"]) for step in payload["steps"])):
        yield Finding("long_answer", 20, "the final answer is longer than all steps together")


def _words(text: str) -> str:
    return " ".join(text.casefold().split())


def _is_list(text: str) -> bool:
    return sum(bool(NUMBERED.match(line)) for line in text.split("\n")) > 1


def _has_own_number(text: str) -> bool:
    return OWN_NUMBER.match(text) is not None and not _is_list(text)


def _holds(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.search(text) is not None


def _begins(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.match(text) is not None


Rule = tuple[int, str, Callable[[str], bool]]
# A model learns to write each of these: control tokens would end its turn or open another, notes need a calculator.
ANYWHERE: dict[str, Rule] = {
    "tags_left": (30, "holds a tag of a chat or of a reasoning block", _holds(TAGS)),
    "calculator_notes": (20, "holds a calculator note <<…>>", _holds(NOTES)),
    "markup": (10, "holds HTML", _holds(MARKUP)),
    "control_characters": (15, "holds characters that nobody sees", _holds(CONTROL)),
    "broken_characters": (15, "holds characters that were decoded wrongly", _holds(BROKEN)),
}
# What numbers steps or tells them apart would then stand twice, or not where it belongs.
IN_STEPS: dict[str, Rule] = {
    "empty_step": (20, "has no content", lambda text: not CONTENT.search(text)),
    "steps_in_one": (20, "holds a list: each item could be a step", _is_list),
    "own_number": (10, "begins with a number of its own, and steps are numbered anyway", _has_own_number),
}
IN_ANSWERS: dict[str, Rule] = {
    "empty_answer": (40, "has no content", lambda text: not CONTENT.search(text)),
    "answer_announced": (10, "begins with words such as “The answer is”, which are written anyway", _begins(PREFIX)),
}

SCORER = Scorer(
    name="format",
    version="1",
    title="Can it be taught as it is?",
    description="100 less the weight of each kind of fault in its texts: tags left over, lists inside a step, …",
    score=score,
    order=5,
)
