"""Names of datasets: `{name}-{version}`. A key is also a directory, so its alphabet is small."""

import re
from collections.abc import Iterator

from training.errors import Fault, Invalid, echo

MAX_NAME, MAX_VERSION = 128, 64
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]*")


def dataset_key(name: object, version: object) -> str:
    """The key of a name and a version. Raises Invalid that says what is wrong with either."""
    faults = [*name_faults(name), *version_faults(version)]
    if faults:
        raise Invalid(faults)
    return f"{name}-{version}"


def split_key(key: str) -> tuple[str, str]:
    """Name and version of a key: the last hyphen stands between them. Raises Invalid when it is no key."""
    name, hyphen, version = key.rpartition("-")
    if not hyphen:
        message = f"{echo(key)} is no key of a dataset; a key is a name, a hyphen and a version, as in golden-v1"
        raise Invalid(Fault(("dataset",), message, "bad_key"))
    dataset_key(name, version)
    return name, version


def next_version(version: str) -> str:
    """The version that people would count on to: 1 → 2, 1.9 → 1.10, draft → draft.2."""
    number = re.search(r"[0-9]*$", version)[0]  # type: ignore[index]
    return f"{version.removesuffix(number)}{int(number) + 1}" if number else f"{version}.2"


def is_key(key: str) -> bool:
    try:
        split_key(key)
    except Invalid:
        return False
    return True


def name_faults(value: object) -> Iterator[Fault]:
    allowed = "letters, digits, '_', '.' and '-', and begins with a letter or a digit"
    return _faults(value, "dataset_name", NAME, MAX_NAME, allowed)


def version_faults(value: object) -> Iterator[Fault]:
    allowed = "letters, digits, '_' and '.' (no hyphen), and begins with a letter or a digit"
    return _faults(value, "dataset_version", VERSION, MAX_VERSION, allowed)


def _faults(value: object, field: str, pattern: re.Pattern[str], limit: int, allowed: str) -> Iterator[Fault]:
    if value is None:
        yield Fault((field,), f"is missing; it is made of {allowed}", "missing_field")
    elif not isinstance(value, str):
        yield Fault((field,), f"must be a text, not {echo(value)}", "wrong_type")
    elif not value:
        yield Fault((field,), f"is empty; it is made of {allowed}", "empty")
    elif not pattern.fullmatch(value):
        yield Fault((field,), f"{echo(value)} cannot be a name on disk: it is made of {allowed}", "bad_key")
    elif len(value) > limit:
        yield Fault((field,), f"is {len(value)} characters long; at most {limit} are allowed", "too_long")
