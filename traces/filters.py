"""Filters of traces, read the same from a query string and from JSON. The result is JSON again."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn

from training.errors import Fault, Invalid, echo
from training.json_rules import place, text_faults, value_faults
from training.schema import kind

MAX_NAME = 200
MAX_WORDS = 1000  # characters of a search


def read_filters(obj: object) -> dict[str, Any]:
    """Filters with typed values: those of FILTERS, and any other name with a scalar as `meta[name]` equal.

    `min_score` becomes a float and `created_after` an ISO time in UTC. Raises Invalid with every fault.
    """
    if not isinstance(obj, Mapping):
        raise Invalid(Fault((), f"is {kind(obj)}; filters are an object", "not_object"))
    filters, faults = {}, []
    for name, value in obj.items():
        try:
            filters[_name(name)] = READERS.get(name, _scalar)(value)
        except Invalid as invalid:
            faults += [replace(fault, loc=(place(name),)) for fault in invalid.faults]
    if faults:
        raise Invalid(faults)
    return filters


def _name(name: str) -> str:
    if not 0 < len(name) <= MAX_NAME:
        _refuse(f"is no name of a filter; 1 to {MAX_NAME} characters are allowed", "too_long" if name else "empty")
    return _sound(name, text_faults(name, ()))


def _text(limit: int) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str):
            _refuse(f"is {kind(value)}; it must be a text", "wrong_type")
        if not value:
            _refuse("is empty; leave it out or give a text", "empty")
        if len(value) > limit:
            _refuse(f"is {len(value)} characters long; at most {limit} are allowed", "too_long")
        return _sound(value, text_faults(value, ()))

    return read


def _number(value: object) -> float:
    """A finite number, or the text of one."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        _refuse(f"must be a number, not {echo(value)}", "wrong_value")
    return number


def _time(value: object) -> str:
    """A date, which means its first moment in UTC, or a time with its zone."""
    try:
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type]
        if moment.tzinfo is None:
            moment = datetime.strptime(str(value), "%Y-%m-%d").replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat()
    except (TypeError, ValueError, OverflowError):
        allowed = "a date (2026-01-31) or a time with its zone (2026-01-31T12:00:00Z)"
        _refuse(f"must be {allowed}, not {echo(value)}", "wrong_value")


def _scalar(value: object) -> object:
    if isinstance(value, dict | list):
        _refuse(f"is {kind(value)}; meta is compared with a text, a number, true, false or null", "wrong_type")
    return _sound(value, value_faults(value))


def _sound(value: Any, faults: Iterable[Fault]) -> Any:
    if found := list(faults):
        raise Invalid(found)
    return value


def _refuse(message: str, type: str) -> NoReturn:
    raise Invalid(Fault((), message, type))


READERS: dict[str, Callable[[Any], Any]] = {
    "source": _text(MAX_NAME),
    "q": _text(MAX_WORDS),
    "min_score": _number,
    "created_after": _time,
    "tag": _text(100),
}
FILTERS = tuple(READERS)  # any other name is a key of meta
