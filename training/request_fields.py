"""Fields of a request that came as JSON.

A reader takes a value and gives what is meant by it, or raises Invalid that says what is wrong, without its place.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NoReturn
from uuid import UUID

from training.errors import Fault, Invalid, echo
from training.json_rules import Loc, place, text_faults, value_faults
from training.schema import kind

Reader = Callable[[Any], Any]


def read_fields(obj: object, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The fields of an object that were given; null means not given.

    Raises Invalid with every fault of every field, fields that have no reader included.
    """
    if not isinstance(obj, Mapping):
        refuse(f"must be an object, not {echo(obj)}", "not_object")
    values, faults = {}, []
    for name, value in obj.items():
        try:
            if value is not None or name not in readers:
                values[name] = readers.get(name, _unknown(name, readers))(value)
        except Invalid as invalid:
            faults += within(invalid, place(name))
    if faults:
        raise Invalid(faults)
    return values


def within(invalid: Invalid, *loc: str | int) -> list[Fault]:
    """The faults of a part, with their places in the whole."""
    return [replace(fault, loc=(*loc, *fault.loc)) for fault in invalid.faults]


def refuse(msg: str, type: str, loc: Loc = ()) -> NoReturn:
    raise Invalid(Fault(loc, msg, type))


def sound(value: Any, faults: Iterable[Fault]) -> Any:
    """`value`, if there are no faults."""
    if found := list(faults):
        raise Invalid(found)
    return value


def whole(allowed: range) -> Reader:
    """A whole number that is in `allowed`."""

    def read(value: object) -> int:
        if type(value) is not int:  # True is an int to Python, and no number to anybody else
            refuse(f"must be a whole number, not {echo(value)}", "wrong_type")
        if value not in allowed:
            refuse(f"must lie between {allowed[0]} and {allowed[-1]}, not {echo(value)}", "number_out_of_range")
        return value

    return read


def choice(*allowed: str) -> Reader:
    def read(value: object) -> str:
        if not isinstance(value, str) or value not in allowed:
            refuse(f"must be one of {', '.join(allowed)}, not {echo(value)}", "unknown_value")
        return value

    return read


def text(limit: int) -> Reader:
    """A text of at most `limit` characters; it may be empty."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            refuse(f"must be a text, not {echo(value)}", "wrong_type")
        if len(value) > limit:
            refuse(f"is {len(value)} characters long; at most {limit} are allowed", "too_long")
        return sound(value, text_faults(value, ()))

    return read


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        refuse(f"must be true or false, not {echo(value)}", "wrong_type")
    return value


def identifier(value: object) -> str:
    """The usual spelling of a uuid."""
    try:
        return str(UUID(value))  # type: ignore[arg-type]
    except (ValueError, TypeError, AttributeError):
        refuse(f"must be a uuid, not {echo(value)}", "wrong_value")


def json_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        refuse(f"must be an object, not {kind(value)}", "wrong_type")
    return sound(value, value_faults(value))


def _unknown(name: object, readers: Mapping[str, Reader]) -> Reader:
    def read(value: object) -> NoReturn:
        refuse(f"{echo(name)} is not known here; allowed are {', '.join(readers)}", "unknown_field")

    return read
