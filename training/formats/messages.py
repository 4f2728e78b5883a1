"""`messages`: a conversation as chat models and their trainers write it."""

from training.formats.conversations import from_turns, read_turns
from training.formats.format import Format, meta_of


def convert(row: dict, source: str) -> dict:
    turns = read_turns(row.get("messages"), ("messages",))
    return from_turns(turns, meta_of(row, source, ("messages",)), ("messages",))


FORMAT = Format(
    name="messages",
    about="A conversation. The assistant's last turn shows its reasoning: in <think> tags, in reasoning_content, "
    "or on lines before the answer.",
    example='{"messages": [{"role": "user", "content": "What is 2 + 2?"}, '
    '{"role": "assistant", "content": "<think>2 + 2 = 4</think>4"}]}',
    mapping=(
        ("messages, before the last", "prompt"),
        ("messages, the last one's reasoning", "steps"),
        ("messages, the last one's answer", "final_answer"),
        ("all others", "meta"),
    ),
    marks=(frozenset({"messages"}),),
    convert=convert,
)
