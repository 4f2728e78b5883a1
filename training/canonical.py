"""One spelling for one value: the JSON text that is hashed, stored and exported."""

import hashlib
import json
from uuid import UUID, uuid5

STABLE_IDS = UUID("6f1b7c52-3c0e-5d0f-9a3e-7d2a1c9b8e41")  # the namespace of stable_id; never changes


def canonical_json(value: object) -> str:
    """`value` as JSON with sorted keys, no spaces and no escapes beyond the necessary ones.

    Made by the standard library on purpose: a faster encoder spells floats differently, and hashes of
    years must not depend on which one was installed. Raises ValueError on NaN and infinities.
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def sha256_hex(data: str | bytes) -> str:
    """SHA-256 of `data` (text as UTF-8) in 64 hexadecimal digits."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def content_sha256(payload: dict) -> str:
    """The identity of a trace's content: version, prompt, steps and final answer, without `meta`."""
    content = {key: payload[key] for key in ("trace_version", "prompt", "steps", "final_answer")}
    return sha256_hex(canonical_json(content))


def stable_id(payload: dict, index: int) -> UUID:
    """The id of the trace at `index` of a golden or generated set: the same on every machine, for ever."""
    return uuid5(STABLE_IDS, f"{content_sha256(payload)}:{index}")
