"""Filters of traces, read the same from a query string and from JSON. The result is JSON again.

| name | passes |
|---|---|
| `source`, `tag` | traces of that source, with that tag |
| `q` | traces that hold all these words, the last perhaps only begun |
| `created_after` | traces that were added later |
| `min_score` | traces with at least that score by the baseline |
| `score.SCORER.min`, `score.SCORER.max` | scores by the scorer's present version, bounds included |
| `wrong.SCORER` | true: the scorer found a wrong step; false: it looked and found none |
| `score.SCORER@VERSION.min`, `…max`, `wrong.SCORER@VERSION` | the same by that version, an older one perhaps |
| `scorers.disagree` | true: one scorer of right and wrong gives less than half its points, another more |
| `steps.min`, `steps.max` | number of steps, bounds included |
| `characters.min`, `characters.max` | characters of prompt, steps and final answer together, bounds included |
| `import.id` | traces of that import |
| `review.is` | `unreviewed`, `reviewed`, `sound` (to the end, no mistake), `faulty`, `disputed` |
| `twin.is` | true: nearly repeats an older trace; false: does not, as far as was looked |
| `meta.NAME` | `meta[NAME]` equal, JSON type included |
| any other name | the same as `meta.NAME` |
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID

from traces.scorers import scorer
from traces.words import MAX_ASKED, words_asked
from training.errors import Fault, Invalid, echo
from training.json_rules import place, text_faults, value_faults
from training.schema import kind
from training.strict_json import parse_json

MAX_NAME = 200
MAX_SEARCH = 1000  # characters of a search
OF_SCORER = re.compile(r"(score|wrong)\.(([^.@]+)(?:@[0-9A-Za-z_.-]{1,16}?)?)(?:\.(min|max))?")


def read_filters(obj: object) -> dict[str, Any]:
    """Filters with typed values: those of FILTERS, and any other name with a scalar as `meta[name]` equal.

    `min_score` becomes a float and `created_after` an ISO time in UTC. Raises Invalid with every fault.
    """
    if not isinstance(obj, Mapping):
        raise Invalid(Fault((), f"is {kind(obj)}; filters are an object", "not_object"))
    filters, faults = {}, []
    for name, value in obj.items():
        try:
            filters[_name(name)] = _reader(name)(value)
        except Invalid as invalid:
            faults += [replace(fault, loc=(place(name),)) for fault in invalid.faults]
    if faults:
        raise Invalid(faults)
    return filters


def read_query(query: Mapping[str, str], besides: Iterable[str] = ()) -> dict[str, Any]:
    """The filters of a query string, where `besides` names what is none.

    The value of a meta filter is JSON where it can be read as such (`3`, `true`, `"3"`), else a text. A name that is
    neither a filter nor begins with `meta.` is refused: in an address it is more likely misspelled. Raises Invalid.
    """
    given = {name: value for name, value in query.items() if name not in besides}
    strange = [name for name in given if not (is_own(name) or name.startswith("meta."))]
    if strange:
        known = ", ".join((*FILTERS, *sorted(set(besides))))
        message = f"is not a parameter here; known are {known}, and meta.NAME"
        raise Invalid(Fault((place(name),), message, "unknown_parameter") for name in strange)
    return read_filters({name: value if is_own(name) else _json_or_text(value) for name, value in given.items()})


def is_own(name: str) -> bool:
    """Whether a name is a filter of ours; every other one is a key of meta."""
    return name in READERS or _of_scorer(name) is not None


def filter_parts(name: str) -> tuple[str, str | None]:
    """The method of a filter and what its name holds besides.

    `score.format.min` → (`score_min`, `format`), `wrong.format@1` → (`wrong`, `format@1`).
    """
    if name in READERS:
        return name.replace(".", "_"), None
    return _of_scorer(name) or ("meta", name.removeprefix("meta."))


def _reader(name: str) -> Callable[[Any], Any]:
    if name in READERS:
        return READERS[name]
    method, _ = filter_parts(name)
    return {"meta": _scalar, "wrong": _flag}.get(method, _number)


def _of_scorer(name: str) -> tuple[str, str] | None:
    """The parts of `score.SCORER.min|max` and `wrong.SCORER`, each perhaps with `@VERSION`; None for anything else."""
    found = OF_SCORER.fullmatch(name)
    if found is None or not _is_scorer(found[3]) or (found[1] == "score") != bool(found[4]):
        return None
    return (f"score_{found[4]}" if found[4] else "wrong"), found[2]


def _is_scorer(name: str) -> bool:
    try:
        return bool(scorer(name))
    except Invalid:
        return False


def _json_or_text(value: str) -> object:
    try:
        return parse_json(value)
    except Invalid:
        return value


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
        number = math.nan if isinstance(value, bool) else float(_plain(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        _refuse(f"must be a number, not {echo(value)}", "wrong_value")
    return number


def _plain(value: object) -> object:
    """Python reads `1_0` as ten; nobody else does."""
    return "" if isinstance(value, str) and "_" in value else value


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


def _words(value: object) -> str:
    text = _text(MAX_SEARCH)(value)
    words = words_asked(text)
    if len(words) > MAX_ASKED:
        _refuse(f"holds {len(words)} words; at most {MAX_ASKED} are looked for at once", "too_long")
    if not words:
        _refuse(f"{echo(text)} holds no word; give letters or digits", "wrong_value")
    return text


def _flag(value: object) -> bool:
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    _refuse(f"must be true or false, not {echo(value)}", "wrong_value")


def _whole(value: object) -> int:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        _refuse(f"must be a whole number, not {echo(value)}", "wrong_value")
    return int(text)


def _id(value: object) -> str:
    try:
        return str(UUID(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, AttributeError):
        _refuse(f"must be an id, not {echo(value)}", "wrong_value")


def _one_of(*allowed: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in allowed:
            _refuse(f"must be one of {', '.join(allowed)}, not {echo(value)}", "wrong_value")
        return str(value)

    return read


REVIEW_STATES = ("unreviewed", "reviewed", "sound", "faulty", "disputed")

READERS: dict[str, Callable[[Any], Any]] = {
    "source": _text(MAX_NAME),
    "q": _words,
    "min_score": _number,
    "created_after": _time,
    "tag": _text(100),
    "steps.min": _whole,
    "steps.max": _whole,
    "characters.min": _whole,
    "characters.max": _whole,
    "import.id": _id,
    "review.is": _one_of(*REVIEW_STATES),
    "twin.is": _flag,
    "scorers.disagree": _flag,
}
FILTERS = tuple(READERS)  # besides those of scorers and the keys of meta
