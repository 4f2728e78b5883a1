"""`gsm8k`: Cobbe et al. 2021, arXiv:2110.14168: one step a line, `<<calculator notes>>`, and a last `#### final`."""

import re

from training.errors import Fault, Invalid
from training.formats.format import COMPUTE, Format, lines_of, meta_of, payload, text_of

FIELDS = ("question", "answer")
CALCULATOR_NOTE = re.compile(r"<<[^<>]*>>")


def convert(row: dict, source: str) -> dict:
    lines = lines_of(text_of(row, "answer"))
    if not lines or not lines[-1].startswith("####"):
        raise Invalid(Fault(("answer",), "does not end with a line '#### final answer'", "missing_field"))
    steps = [CALCULATOR_NOTE.sub("", line) for line in lines[:-1]]
    if not steps:
        raise Invalid(Fault(("answer",), "has no step before its final answer", "missing_field"))
    final_answer = lines[-1].removeprefix("####").strip()
    return payload(text_of(row, "question"), steps, COMPUTE, final_answer, meta_of(row, source, FIELDS))


FORMAT = Format(
    name="gsm8k",
    about="A question, and an answer with one step a line and the result after ####.",
    example='{"question": "How many legs have 3 cats?", "answer": "3 × 4 = <<3*4=12>>12 legs\\n#### 12"}',
    mapping=(
        ("question", "prompt"),
        ("answer, each line", "steps"),
        ("answer, after ####", "final_answer"),
        ("all others", "meta"),
    ),
    marks=(frozenset(FIELDS),),
    convert=convert,
)
