"""The formats people bring traces in, each turned into the one shape that `training.schema` checks."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from training.errors import Fault, Invalid, echo
from training.json_rules import Loc
from training.row_files import Row, read_rows
from training.schema import TRACE_VERSION, kind, read_trace
from training.strict_json import located

REASONING_TAG = re.compile(r"<(/?)(think|reasoning)>")
NUMBERING = re.compile(r"\d{1,3}[.)]\s+")
CALCULATOR_NOTE = re.compile(r"<<[^<>]*>>")
ROLES = ("system", "developer", "user", "assistant")


class TraceReader:
    """The rows of one file as (line number, valid payload or its faults), in order.

    All rows are read in one format; with "auto" the first object of the file decides, and `format` tells
    which it is from then on.
    """

    def __init__(self, rows: Iterator[Row], *, format: str, source: str):
        self.format = None if format == "auto" else format
        self._source = source
        self._results = map(self._read, rows)

    def __iter__(self) -> Iterator[tuple[int, dict | Invalid]]:
        return self

    def __next__(self) -> tuple[int, dict | Invalid]:
        return next(self._results)

    def _read(self, row: Row) -> tuple[int, dict | Invalid]:
        if isinstance(row.value, Invalid):
            return row.line, row.value
        if self.format is None and isinstance(row.value, dict):
            self.format = detect_format(row.value)
        try:
            return row.line, read_trace(to_trace(row.value, self.format or "trace", source=self._source))
        except Invalid as invalid:
            return row.line, located(invalid, row.line, row.loc)


def read_traces(stream: BinaryIO, *, format: str = "auto", source: str, max_line_bytes: int) -> TraceReader:
    """Reads JSONL or one JSON list from a stream that can seek; no row may exceed `max_line_bytes`.

    Raises Invalid for an unknown format; faults of rows are yielded in their place.
    """
    if format != "auto":
        _converter(format)
    return TraceReader(read_rows(stream, max_row_bytes=max_line_bytes), format=format, source=source)


def detect_format(obj: object) -> str:
    """The format whose fields `obj` has; "trace", whose faults are then told, when it has none's."""
    if isinstance(obj, dict) and "messages" in obj:
        return "messages"
    if isinstance(obj, dict) and {"question", "answer"} <= obj.keys():
        return "gsm8k"
    return "trace"


def to_trace(obj: object, format: str, *, source: str) -> dict:
    """`obj` as a payload for `read_trace`, which still has to judge it. Raises Invalid where it cannot be turned.

    `meta.source` says `source`, and what else the row holds is kept in `meta`. A row that is a trace stays as it is.
    """
    convert = _converter(format)
    if not isinstance(obj, dict):
        raise Invalid(Fault((), f"is {kind(obj)}; each row is an object", "not_object"))
    return convert(obj, source)


def _converter(format: str) -> Callable[[dict, str], dict]:
    if format not in FORMATS:
        message = f"{echo(format)} is not a known format; choose one of auto, {', '.join(FORMATS)}"
        raise Invalid(Fault(("format",), message, "unknown_format"))
    return FORMATS[format]


def _from_trace(obj: dict, _source: str) -> dict:
    return obj


def _from_gsm8k(obj: dict, source: str) -> dict:
    """Cobbe et al. 2021, arXiv:2110.14168: one step a line, `<<calculator notes>>`, and a last line `#### final`."""
    lines = _lines(_text(obj, "answer", ()))
    if not lines or not lines[-1].startswith("####"):
        raise Invalid(Fault(("answer",), "does not end with a line '#### final answer'", "missing_field"))
    steps = [CALCULATOR_NOTE.sub("", line) for line in lines[:-1]]
    if not steps:
        raise Invalid(Fault(("answer",), "has no step before its final answer", "missing_field"))
    extras = {key: value for key, value in obj.items() if key not in ("question", "answer")}
    final_answer = lines[-1].removeprefix("####").strip()
    return _payload(_text(obj, "question", ()), steps, "compute", final_answer, {"source": source} | extras)


def _from_messages(obj: dict, source: str) -> dict:
    """A conversation that ends with the assistant's turn, whose reasoning stands apart from its answer."""
    messages = obj.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Invalid(Fault(("messages",), f"is {kind(messages)}; it must be a list of turns", "wrong_type"))
    turns = [_turn(message, ("messages", index)) for index, message in enumerate(messages)]
    *earlier, last = turns
    if last.role != "assistant":
        message = f"is {last.role!r}; a conversation must end with the assistant's answer"
        raise Invalid(Fault((*last.loc, "role"), message, "wrong_order"))
    steps = [NUMBERING.sub("", line, count=1) for line in _lines(last.reasoning)]
    if not steps:
        message = "shows no reasoning; put it in reasoning_content or between <think> and </think>"
        raise Invalid(Fault((*last.loc, "content"), message, "missing_field"))
    extras = {key: value for key, value in obj.items() if key != "messages"}
    return _payload(_prompt(earlier), steps, "reason", _answer(last), {"source": source} | extras)


@dataclass(frozen=True)
class Turn:
    """One message of a conversation; `text` is what it says without its reasoning."""

    loc: Loc
    role: str
    text: str
    reasoning: str


def _turn(message: object, loc: Loc) -> Turn:
    if not isinstance(message, dict):
        raise Invalid(Fault(loc, f"is {kind(message)}; a turn is an object with role and content", "wrong_type"))
    role = _text(message, "role", loc)
    if role not in ROLES:
        message = f"{echo(role)} is not a role that is read; known are {', '.join(ROLES)}"
        raise Invalid(Fault((*loc, "role"), message, "unknown_role"))
    text = _text(message, "content", loc)
    if role != "assistant":
        return Turn(loc, role, text.strip(), "")
    reasoning, text = _split_reasoning(text, (*loc, "content"))
    if message.get("reasoning_content") is not None:
        reasoning = f"{_text(message, 'reasoning_content', loc)}\n{reasoning}"
    return Turn(loc, role, text.strip(), reasoning)


def _split_reasoning(text: str, loc: Loc) -> tuple[str, str]:
    """What stands between the reasoning tags, and the rest. Some chat templates leave the opening tag out."""
    tag = REASONING_TAG.search(text)
    if not tag:
        return "", text
    if tag[1]:
        reasoning, rest = text[: tag.start()], text[tag.end() :]
    else:
        reasoning, closing, rest = text[tag.end() :].partition(f"</{tag[2]}>")
        if not closing:
            raise Invalid(Fault(loc, f"opens {tag[0]} and does not close it", "missing_field"))
        rest = text[: tag.start()] + rest
    if REASONING_TAG.search(rest):
        raise Invalid(Fault(loc, "has more than one block of reasoning; give one", "wrong_order"))
    return reasoning, rest


def _answer(turn: Turn) -> str:
    _, tag, tagged = turn.text.partition("<answer>")
    if not tag:
        return turn.text
    answer, closing, _ = tagged.partition("</answer>")
    if not closing:
        raise Invalid(Fault((*turn.loc, "content"), "opens <answer> and does not close it", "missing_field"))
    return answer.strip()


def _prompt(turns: list[Turn]) -> str:
    """What the last turn answers: the texts in order, each with its speaker once the assistant has spoken before."""
    if not any(turn.role == "user" for turn in turns):
        raise Invalid(Fault(("messages",), "has no user turn before the assistant's answer", "missing_field"))
    has_answers = any(turn.role == "assistant" for turn in turns)
    named = ("user", "assistant") if has_answers else ()
    return "\n\n".join(
        f"{turn.role.capitalize()}: {turn.text}" if turn.role in named else turn.text for turn in turns if turn.text
    )


def _payload(prompt: str, steps: list[str], step_type: str, final_answer: str, meta: dict) -> dict:
    return {
        "trace_version": TRACE_VERSION,
        "prompt": prompt,
        "steps": [{"i": i, "type": step_type, "content": step} for i, step in enumerate(steps)],
        "final_answer": final_answer,
        "meta": meta,
    }


def _lines(text: str) -> list[str]:
    """The non-blank lines; only "\\n" ends a line, as in the files themselves."""
    return [line.strip() for line in text.split("\n") if line.strip()]


def _text(obj: dict, key: str, loc: Loc) -> str:
    if key not in obj:
        raise Invalid(Fault((*loc, key), "is missing; give a text", "missing_field"))
    if not isinstance(obj[key], str):
        raise Invalid(Fault((*loc, key), f"is {kind(obj[key])}; it must be a text", "wrong_type"))
    return obj[key]


FORMATS: dict[str, Callable[[dict, str], dict]] = {
    "trace": _from_trace,
    "messages": _from_messages,
    "gsm8k": _from_gsm8k,
}
