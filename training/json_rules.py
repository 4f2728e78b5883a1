"""What a JSON value may hold so that every database and every browser stores and shows it alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from math import isfinite
from typing import Any

from training.errors import ECHO_LIMIT, Fault, echo

MAX_DEPTH = 32  # containers within containers
MAX_KEYS = 256  # keys of one object
MAX_STRING = 256 * 1024  # code points of one string
MAX_FAULTS = 100  # faults listed for one value
INTEGERS = range(-(2**63), 2**63)

Loc = tuple[str | int, ...]


@dataclass(frozen=True)
class Flaw:
    """Stands in a parsed value for what the parser met and could not keep, until the walk finds its place."""

    type: str
    msg: str


def value_faults(value: object, loc: Loc = (), *, max_keys: int = MAX_KEYS) -> Iterator[Fault]:
    """Everything in a JSON value that one of the databases, or a browser, would refuse or change.

    `loc` is the value's own place; its length is the depth the value lies at.
    """
    match value:
        case None | bool():
            return
        case str():
            yield from text_faults(value, loc)
        case int() if value not in INTEGERS:
            yield Fault(loc, "is an integer of more than 64 bits; write it as a text", "number_out_of_range")
        case float() if not isfinite(value):
            yield Fault(loc, "is not a finite number; leave it out or use null", "non_finite")
        case int() | float():
            return
        case dict() | list() if len(loc) >= MAX_DEPTH:
            yield Fault(loc, f"is nested deeper than {MAX_DEPTH} levels", "too_deep")
        case dict():
            yield from _object_faults(value, loc, max_keys)
        case list():
            for index, item in enumerate(value):
                yield from value_faults(item, (*loc, index), max_keys=max_keys)
        case Flaw():
            yield Fault(loc, value.msg, value.type)
        case _:
            yield Fault(loc, f"is {type(value).__name__}, which is no JSON value; write it as a text", "wrong_type")


def is_sound(value: Any, depth: int = 0) -> bool:
    """False when `value_faults` might find something; much quicker, for the many values where it does not.

    `depth` is how deep the value lies.
    """
    kind = type(value)
    if kind is str:
        return is_sound_text(value)
    if kind is dict:
        return depth < MAX_DEPTH and _are_sound_keys(value) and all(map(is_sound, value.values(), repeat(depth + 1)))
    if kind is list:
        return depth < MAX_DEPTH and all(map(is_sound, value, repeat(depth + 1)))
    return value is None or kind is bool or (kind is int and value in INTEGERS) or (kind is float and isfinite(value))


def is_sound_text(text: str) -> bool:
    """Whether `text_faults` finds nothing."""
    return len(text) <= MAX_STRING and "\0" not in text and (text.isascii() or has_utf8_form(text))


def _are_sound_keys(value: dict) -> bool:
    try:
        return len(value) <= MAX_KEYS and is_sound_text("".join(value))
    except TypeError:  # a key that is no text
        return False


def text_faults(text: str, loc: Loc) -> Iterator[Fault]:
    """What is wrong with a text whatever field it stands in."""
    if len(text) > MAX_STRING:
        yield Fault(loc, f"is {len(text)} characters long; at most {MAX_STRING} are read", "string_too_long")
    if "\0" in text:
        yield Fault(loc, "contains a NUL character (U+0000); remove it", "nul_character")
    if not (text.isascii() or has_utf8_form(text)):
        yield Fault(loc, "contains half of a surrogate pair, which is no character; remove it", "lone_surrogate")


def place(key: object) -> str:
    """An object's key as a part of a fault's `loc`: short, and always printable."""
    return key if isinstance(key, str) and len(key) <= ECHO_LIMIT and key.isprintable() else echo(key)


def has_utf8_form(text: str) -> bool:
    """False when `text` holds a lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _object_faults(value: dict, loc: Loc, max_keys: int) -> Iterator[Fault]:
    if len(value) > max_keys:
        yield Fault(loc, f"has {len(value)} keys; at most {max_keys} are read", "too_many_keys")
    for key, item in value.items():
        inner = (*loc, place(key))
        if isinstance(key, str):
            yield from text_faults(key, inner)
        else:
            yield Fault(inner, "is a key that is not a text", "wrong_type")
        yield from value_faults(item, inner, max_keys=max_keys)
