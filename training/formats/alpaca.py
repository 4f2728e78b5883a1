"""`alpaca`: an instruction, perhaps an input it speaks of, and the output (Taori et al. 2023, Stanford Alpaca)."""

from training.formats.format import REASON, Format, meta_of, payload, text_of
from training.formats.responses import split_response


def convert(row: dict, source: str) -> dict:
    prompt = text_of(row, "instruction")
    if row.get("input") is not None and (given := text_of(row, "input")).strip():
        prompt = f"{prompt}\n\n{given}"
    steps, final_answer = split_response(text_of(row, "output"), ("output",))
    meta = meta_of(row, source, ("instruction", "input", "output"))
    return payload(prompt, steps, REASON, final_answer, meta)


FORMAT = Format(
    name="alpaca",
    about="An instruction, an input that may be empty, and an output whose steps come before its answer.",
    example='{"instruction": "Add the numbers.", "input": "2, 3, 4", "output": "2 + 3 = 5\\n5 + 4 = 9\\nAnswer: 9"}',
    mapping=(
        ("instruction", "prompt"),
        ("input", "prompt"),
        ("output, its reasoning", "steps"),
        ("output, its answer", "final_answer"),
        ("all others", "meta"),
    ),
    marks=(frozenset({"instruction", "output"}),),
    convert=convert,
)
