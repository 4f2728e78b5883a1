"""One spelling for one value: the JSON text that is hashed, stored and exported."""

import hashlib
import json


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
