"""`sharegpt`: a conversation of `{from, value}`, as ShareGPT exports and many instruction sets write it."""

from training.formats.conversations import Turn, fields_of, from_turns, listed, role_of
from training.formats.format import Format, meta_of, text_of
from training.json_rules import Loc

ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
}


def convert(row: dict, source: str) -> dict:
    loc = ("conversations",)
    messages = listed(row.get("conversations"), loc)
    turns = [_turn(message, (*loc, index)) for index, message in enumerate(messages)]
    return from_turns(turns, meta_of(row, source, loc), loc)


def _turn(message: object, loc: Loc) -> Turn:
    message = fields_of(message, "from and value", loc)
    role = ROLES[role_of(text_of(message, "from", loc), ROLES, (*loc, "from"))]
    return Turn((*loc, "value"), role, text_of(message, "value", loc), "")


FORMAT = Format(
    name="sharegpt",
    about="A conversation of from and value: human and gpt in turn, gpt last, its steps before its answer.",
    example='{"conversations": [{"from": "human", "value": "What is 7 × 8?"}, '
    '{"from": "gpt", "value": "7 × 8 = 7 × 4 × 2\\n28 × 2 = 56\\nAnswer: 56"}]}',
    mapping=(
        ("conversations, before the last", "prompt"),
        ("conversations, the last one's reasoning", "steps"),
        ("conversations, the last one's answer", "final_answer"),
        ("all others", "meta"),
    ),
    marks=(frozenset({"conversations"}),),
    convert=convert,
)
