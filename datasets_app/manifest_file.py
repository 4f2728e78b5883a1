"""A manifest as somebody finds it on disk: read with care, since the database may be made again from it."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from datasets_app.build_request import LENGTHS, LIMITS, MAX_INSTRUCTION, MAX_SESSION_ID, SEEDS, STRATEGIES
from datasets_app.keys import dataset_key
from datasets_app.manifest import ADDED_LATER, ASKED, DATASET_SCHEMA_VERSION, FOUND
from training.errors import Fault, Invalid, echo
from training.json_rules import value_faults
from training.renderers import RECIPES
from training.request_fields import Reader, choice, identifier, json_object, read_fields, refuse, sound, text, whole

MAX_BYTES = 256 * 2**20  # a million ids take 45 MB
SHA256 = re.compile("[0-9a-f]{64}")
WRITTEN_AT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class ManifestFile:
    """The fields of a manifest, each of its type."""

    fields: dict[str, Any]

    @property
    def build_id(self) -> UUID:
        return UUID(self.fields["build_id"])

    @property
    def created_at(self) -> datetime:
        return self.fields["created_at"]

    @property
    def trace_ids(self) -> list[str]:
        return self.fields["trace_ids"]

    @property
    def content_sha256(self) -> str:
        return self.fields["content_sha256"]

    def columns(self) -> dict[str, Any]:
        """What the row of a dataset holds of it, but for the request."""
        own = ("seed", "recipe", "instruction", "max_length", *FOUND)
        names = {"name": self.fields["dataset_name"], "version": self.fields["dataset_version"]}
        return names | {name: self.fields[name] for name in own if name in self.fields}

    def request(self) -> dict[str, Any]:
        """What was asked for, as far as a manifest tells."""
        own = ("dataset_name", "dataset_version", "seed", "recipe", "instruction", "max_length")
        asked = (name for name in (*own, *ASKED) if name in self.fields or name not in ADDED_LATER)
        return {name: self.fields.get(name) for name in asked}


def read_manifest(path: Path, key: str) -> ManifestFile:
    """The manifest at `path` of the dataset `key`. Raises Invalid with everything that is wrong with it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            refuse(f"is larger than {MAX_BYTES} bytes", "too_large", (path.name,))
        fields = read_fields(json.loads(data), READERS)
    except OSError as error:
        raise Invalid(Fault((path.name,), f"cannot be read: {error.strerror}", "missing"))
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, Invalid) else Invalid(Fault((path.name,), "is no JSON", "json"))
    missing = [name for name in READERS if name not in fields and name not in ADDED_LATER and name not in ASKED]
    if missing:
        raise Invalid(Fault((path.name, name), "is missing", "missing_field") for name in missing)
    named = dataset_key(fields["dataset_name"], fields["dataset_version"])
    if not key == fields["dataset_key"] == named:
        refuse(f"is that of {echo(fields['dataset_key'])}, not of {key}", "wrong_value", (path.name, "dataset_key"))
    return ManifestFile(fields)


def _moment(value: object) -> datetime:
    try:
        return datetime.strptime(value, WRITTEN_AT).replace(tzinfo=UTC)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        refuse(f"must be a time as in 2026-01-31T12:00:00.000000Z, not {echo(value)}", "wrong_value")


def _hash(value: object) -> str:
    if not isinstance(value, str) or not SHA256.fullmatch(value):
        refuse(f"must be a SHA-256, not {echo(value)}", "wrong_value")
    return value


def _ids(value: object) -> list[str]:
    if not isinstance(value, list):
        refuse("must be a list of ids", "wrong_type")
    return [identifier(item) for item in value]


def _gates(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(gate, dict) and "count" in gate for gate in value):
        refuse("must be a list of what gates found", "wrong_type")
    return _any(value)


def _any(value: Any) -> Any:
    return sound(value, value_faults(value))


READERS: dict[str, Reader] = {
    "dataset_key": text(193),
    "build_id": identifier,
    "dataset_name": text(128),
    "dataset_version": text(64),
    "dataset_schema_version": choice(DATASET_SCHEMA_VERSION),
    "created_at": _moment,
    "seed": whole(SEEDS),
    "recipe": choice(*RECIPES),
    "instruction": text(MAX_INSTRUCTION),
    "max_length": whole(LENGTHS),
    "trace_ids": _ids,
    "filters": json_object,
    "selection_strategy": choice(*STRATEGIES),
    "stratify_by": text(200),
    "quotas": _any,
    "mix": _any,
    "limit": whole(LIMITS),
    "session_id": text(MAX_SESSION_ID),
    "parent_dataset_id": identifier,
    "training_run_id": identifier,
    "provenance": json_object,
    "seeded": json_object,
    "trace_count": whole(LIMITS),
    "splits": json_object,
    "stats": json_object,
    "gates": _gates,
    "content_sha256": _hash,
}
