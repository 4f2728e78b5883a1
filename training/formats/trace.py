"""`trace`: a trace as it is."""

from training.formats.format import Format


def convert(row: dict, _source: str) -> dict:
    return row


FORMAT = Format(
    name="trace",
    about="A prompt, its numbered steps and the final answer; meta may hold anything. What tunixrt itself writes.",
    example='{"trace_version": "1.0", "prompt": "What is 27 × 19?", "final_answer": "513", "steps": '
    '[{"i": 0, "type": "compute", "content": "27 × 19 = 513"}], "meta": {"source": "book"}}',
    mapping=(
        ("trace_version", "trace_version"),
        ("prompt", "prompt"),
        ("steps", "steps"),
        ("final_answer", "final_answer"),
        ("meta", "meta"),
    ),
    marks=(frozenset({"trace_version"}), frozenset({"prompt", "steps"})),
    convert=convert,
)
