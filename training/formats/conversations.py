"""Conversations: turns of system, user and assistant that end with the answer to take apart."""

from collections.abc import Iterable
from typing import NamedTuple

from training.errors import Fault, Invalid, echo
from training.formats.format import REASON, payload, text_of
from training.formats.responses import split_reasoning, split_response
from training.json_rules import Loc
from training.schema import kind

ROLES = ("system", "developer", "user", "assistant")


class Turn(NamedTuple):
    """One message of a conversation, where its text stands, and the reasoning that a field of its own shows."""

    loc: Loc
    role: str
    text: str
    reasoning: str


def from_turns(turns: list[Turn], meta: dict, loc: Loc) -> dict:
    """The payload of a conversation; `loc` is its place. Raises Invalid where it does not end with a worked answer."""
    *earlier, last = turns
    if last.role != "assistant":
        message = f"is {last.role!r}; a conversation must end with the assistant's answer"
        raise Invalid(Fault((*last.loc[:-1], "role"), message, "wrong_order"))
    prompt = _prompt(earlier, loc)
    steps, final_answer = split_response(last.text, last.loc, last.reasoning)
    return payload(prompt, steps, REASON, final_answer, meta)


def read_turns(messages: object, loc: Loc) -> list[Turn]:
    """The turns of a list of `{role, content}`, at least one; `loc` is the list's place."""
    return [_turn(message, (*loc, index)) for index, message in enumerate(listed(messages, loc))]


def listed(messages: object, loc: Loc) -> list:
    """`messages`, which must be a list that is not empty."""
    if not isinstance(messages, list) or not messages:
        found = "empty" if messages == [] else kind(messages)
        raise Invalid(Fault(loc, f"is {found}; it must be a list of turns", "wrong_type"))
    return messages


def role_of(name: str, known: Iterable[str], loc: Loc) -> str:
    """`name`, which must be one of the roles `known`."""
    if name not in known:
        message = f"{echo(name)} is not a role that is read; known are {', '.join(known)}"
        raise Invalid(Fault(loc, message, "unknown_role"))
    return name


def fields_of(message: object, names: str, loc: Loc) -> dict:
    """`message`, which must be an object; `names` says which fields it needs."""
    if not isinstance(message, dict):
        raise Invalid(Fault(loc, f"is {kind(message)}; a turn is an object with {names}", "wrong_type"))
    return message


def _turn(message: object, loc: Loc) -> Turn:
    message = fields_of(message, "role and content", loc)
    role = role_of(text_of(message, "role", loc), ROLES, (*loc, "role"))
    text = text_of(message, "content", loc)
    has_reasoning = role == "assistant" and message.get("reasoning_content") is not None
    reasoning = text_of(message, "reasoning_content", loc) if has_reasoning else ""
    return Turn((*loc, "content"), role, text, reasoning)


def _prompt(turns: list[Turn], loc: Loc) -> str:
    """What the last turn answers: the texts in order, each with its speaker once the assistant has spoken before."""
    if not any(turn.role == "user" for turn in turns):
        raise Invalid(Fault(loc, "has no user turn before the assistant's answer", "missing_field"))
    has_answers = any(turn.role == "assistant" for turn in turns)
    named = ("user", "assistant") if has_answers else ()
    texts = [(turn.role, _said(turn)) for turn in turns]
    return "\n\n".join(f"{role.capitalize()}: {text}" if role in named else text for role, text in texts if text)


def _said(turn: Turn) -> str:
    """What a turn says aloud, without its reasoning."""
    text = split_reasoning(turn.text, turn.loc)[1] if turn.role == "assistant" else turn.text
    return text.strip()
