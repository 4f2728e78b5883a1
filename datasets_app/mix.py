"""Several selections in one: each part names its traces and its weight."""

from typing import Any

from datasets_app.keys import is_key
from traces.filters import read_filters
from training.errors import Fault, Invalid, echo
from training.request_fields import read_fields, refuse, text, within

PARTS = range(2, 21)
MAX_WEIGHT = 1_000_000
MAX_NAME = 100


def read_mix(value: object) -> list[dict[str, Any]]:
    """Parts as `{"name", "weight", "filters" | "dataset_key"}`; a part without a name is called by its number."""
    if not isinstance(value, list):
        refuse(f"must be a list of parts, not {echo(value)}", "wrong_type")
    if len(value) not in PARTS:
        refuse(f"has {len(value)} parts; {PARTS[0]} to {PARTS[-1]} are allowed", "wrong_value")
    parts, faults = [], []
    for place, item in enumerate(value):
        try:
            parts.append({"name": f"part {place + 1}"} | _part(item))
        except Invalid as invalid:
            faults += within(invalid, place)
    if faults:
        raise Invalid(faults)
    return parts


def _part(item: object) -> dict[str, Any]:
    part = read_fields(item, READERS)
    if ("filters" in part) == ("dataset_key" in part):
        refuse("must have either filters or the dataset_key of a frozen dataset", "missing_field")
    if "weight" not in part:
        raise Invalid(Fault(("weight",), "is missing; give a number above 0", "missing_field"))
    return part


def _weight(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(f"must be a number, not {echo(value)}", "wrong_type")
    if not 0 < value <= MAX_WEIGHT:
        refuse(f"must lie above 0 and be at most {MAX_WEIGHT}, not {echo(value)}", "number_out_of_range")
    return value


def _dataset_key(value: object) -> str:
    if not isinstance(value, str) or not is_key(value):
        refuse(f"must be the key of a dataset, not {echo(value)}", "bad_key")
    return value


READERS = {"name": text(MAX_NAME), "weight": _weight, "filters": read_filters, "dataset_key": _dataset_key}
