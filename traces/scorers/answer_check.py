"""Whether the final answer follows from the last step."""

import re
from fractions import Fraction

from traces.scorers.scorer import Judged, Scorer
from training.arithmetic import equations
from training.errors import echo
from training.judges import normalise, number

FIGURES = re.compile(r"[-−]?\$?\.?[0-9](?:[0-9.,/]*[0-9])?")
NEXT_SENTENCE = re.compile(r"[.!?;]\s+\w")
MAX_FIGURES = 1000  # numbers of a step that are looked at, the last ones
MAX_ANSWER = 200  # characters; a longer answer is a text, whose number nobody can point at


def score(payload: dict) -> Judged:
    """100 when the answer stands in the last step, 0 when that step ends in another result, else None."""
    answer = payload["final_answer"]
    values = _values(answer) if len(answer) <= MAX_ANSWER else []
    contents = [step["content"] for step in payload["steps"]]
    if len(values) != 1:
        return _as_text(answer, contents[-1])
    return _as_number(values[0], answer, contents)


def _as_text(answer: str, last: str) -> Judged:
    if f" {_plain(answer)} " in f" {_plain(last)} ":
        return 100.0, {"reason": "the answer's words stand in the last step"}
    return None, {"reason": "the answer is no number, and its words do not stand in the last step"}


def _as_number(value: Fraction, answer: str, contents: list[str]) -> Judged:
    last = next((text for text in reversed(contents) if FIGURES.search(text)), None)
    if last is None:
        return None, {"reason": "no step holds a number"}
    found = _values(last)
    hundredfold = any(sign in answer + last for sign in "%$¢€£")  # 0.25 is 25 %, and $0.25 are 25 cents
    if any(_same(value, other, hundredfold) for other in found):
        return 100.0, {"reason": f"the answer {echo(answer)} stands in the last step"}
    results = equations(last)
    if results and found and results[-1].right == found[-1] and not NEXT_SENTENCE.search(last, results[-1].end):
        return 0.0, {"reason": f"the last step ends with {echo(results[-1].text)}, the answer is {echo(answer)}"}
    return None, {"reason": "the answer does not stand in the last step, which ends in no clear result"}


def _same(value: Fraction, other: Fraction, hundredfold: bool) -> bool:
    """Equal; equal but for rounding to the digits of one of them; or one of them in hundredths."""
    if value == other or (hundredfold and value in (other * 100, other / 100)):
        return True
    return any(_rounds(long, short) for long, short in ((value, other), (other, value)))


def _rounds(long: Fraction, short: Fraction) -> bool:
    """Whether `short` is a decimal with at most two digits behind the point that `long` is rounded to."""
    return long.denominator > short.denominator and any(
        round(long * 10**digits) == short * 10**digits for digits in range(3)
    )


def _values(text: str) -> list[Fraction]:
    figures = FIGURES.findall(text)[-MAX_FIGURES:]
    return [value for value in map(number, figures) if value is not None]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", normalise(text)))


SCORER = Scorer(
    name="answer_check",
    version="1",
    title="Does the answer follow?",
    description="100 when the final answer stands in the last step, 0 when that step ends in another result.",
    score=score,
    order=3,
    verdict=True,
)
