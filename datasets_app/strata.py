"""Strata: rows that share a value, how a value is spelled, and how many rows each stratum is to give."""

from collections.abc import Mapping
from typing import Any

from training.canonical import canonical_json
from training.errors import Invalid, echo
from training.json_rules import INTEGERS, place
from training.request_fields import Reader, choice, refuse, text, whole, within
from training.strict_json import parse_json

PROPORTIONAL, EQUAL = "proportional", "equal"
MAX_STRATA = 1_000
MAX_VALUE = 200  # characters of a value
MAX_FIELD = 200
COLUMNS = ("source", "steps")  # every other field is a key of meta
NONE = "null"  # the label of the rows that have no scalar there

_field = text(MAX_FIELD)


def read_field(value: object) -> str:
    """`source`, `steps` or `meta.NAME`; a bare NAME means `meta.NAME`."""
    field = _field(value)
    if not field.removeprefix("meta."):
        refuse("names no field; use source, steps or meta.NAME", "empty")
    return field if field in COLUMNS or field.startswith("meta.") else f"meta.{field}"


def label_of(value: Any) -> str:
    """A scalar's label: texts as they are unless JSON reads something else in them, everything else as JSON.

    JSON has one type of number, so 1 and 1.0 are one value. A label of more than MAX_VALUE characters is refused.
    """
    if isinstance(value, float) and value.is_integer() and int(value) in INTEGERS:
        value = int(value)
    elif isinstance(value, int) and value not in INTEGERS:
        value = float(value)  # as a database may spell a large float
    label = value if isinstance(value, str) and _is_plain(value) else canonical_json(value)
    if len(label) > MAX_VALUE:
        refuse(f"has values of more than {MAX_VALUE} characters, such as {echo(label)}", "too_long")
    return label


def read_quotas(rows: range) -> Reader:
    """`proportional`, `equal`, or how many rows, a number of `rows`, each value gives: `{"easy": 300, "3": 100}`."""
    named, number = choice(PROPORTIONAL, EQUAL), whole(rows)

    def read(value: object) -> str | dict[str, int]:
        if not isinstance(value, Mapping):
            return named(value)
        if not 0 < len(value) <= MAX_STRATA:
            refuse(f"names {len(value)} values; 1 to {MAX_STRATA} are allowed", "wrong_value")
        quotas, faults = dict[str, int](), []
        for name, count in value.items():
            try:
                label = label_of(scalar_of(name))
                if label in quotas:
                    refuse(f"{echo(label)} is named twice", "wrong_value")
                quotas[label] = number(count)
            except Invalid as invalid:
                faults += within(invalid, place(name))
        if faults:
            raise Invalid(faults)
        if sum(quotas.values()) > rows[-1]:
            refuse(f"ask for {sum(quotas.values())} rows; at most {rows[-1]} are taken", "number_out_of_range")
        return quotas

    return read


def scalar_of(label: str) -> Any:
    """The value of a label: what JSON reads in it if that is a scalar, else the text itself."""
    try:
        value = parse_json(label)
    except Invalid:
        return label
    return label if isinstance(value, dict | list) else value


def _is_plain(value: str) -> bool:
    return scalar_of(value) == value
