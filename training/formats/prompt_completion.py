"""`prompt_completion`: a prompt and what completes it, as texts or, as TRL writes it, as lists of messages."""

from training.errors import Fault, Invalid
from training.formats.conversations import from_turns, read_turns
from training.formats.format import REASON, Format, meta_of, payload, text_of
from training.formats.responses import split_response
from training.schema import kind

FIELDS = ("prompt", "completion")


def convert(row: dict, source: str) -> dict:
    meta = meta_of(row, source, FIELDS)
    if isinstance(row.get("prompt"), list):
        if not isinstance(row.get("completion"), list):
            message = f"is {kind(row.get('completion'))}; beside a list of messages it must be a list of messages too"
            raise Invalid(Fault(("completion",), message, "wrong_type"))
        turns = read_turns(row["prompt"], ("prompt",)) + read_turns(row["completion"], ("completion",))
        return from_turns(turns, meta, ("prompt",))
    steps, final_answer = split_response(text_of(row, "completion"), ("completion",))
    return payload(text_of(row, "prompt"), steps, REASON, final_answer, meta)


FORMAT = Format(
    name="prompt_completion",
    about="A prompt and its completion, both texts or both lists of messages; the completion's steps come first.",
    example='{"prompt": "What is 12 + 30?", "completion": "10 + 30 = 40\\n40 + 2 = 42\\nAnswer: 42"}',
    mapping=(
        ("prompt", "prompt"),
        ("completion, its reasoning", "steps"),
        ("completion, its answer", "final_answer"),
        ("all others", "meta"),
    ),
    marks=(frozenset(FIELDS),),
    convert=convert,
)
