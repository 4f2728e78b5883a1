"""One spelling for one value: the JSON text that is hashed, stored and exported."""

import hashlib
import json
from uuid import UUID, uuid5

import msgspec

ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
CONTENT_ENCODER = msgspec.json.Encoder(order="sorted")
CONTENT_KEYS = ("final_answer", "prompt", "steps", "trace_version")
STABLE_IDS = UUID("6f1b7c52-3c0e-5d0f-9a3e-7d2a1c9b8e41")  # the namespace of stable_id; never changes


def canonical_json(value: object) -> str:
    """`value` as JSON with sorted keys, no spaces and no escapes beyond the necessary ones.

    Made by the standard library on purpose: a faster encoder spells floats differently, and hashes of
    years must not depend on which one was installed. Raises ValueError on NaN and infinities.
    """
    return ENCODER.encode(value)


def sha256_hex(data: str | bytes) -> str:
    """SHA-256 of `data` (text as UTF-8) in 64 hexadecimal digits."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def content_sha256(payload: dict) -> str:
    """The identity of a trace's content: version, prompt, steps and final answer, without `meta`."""
    return sha256_hex(canonical_json({key: payload[key] for key in CONTENT_KEYS}))


def spelled(payload: dict) -> tuple[str, str]:
    """`canonical_json(payload)` and `content_sha256(payload)` of what `read_trace` gave, in a fraction of their time.

    The content holds texts and integers only, and those a faster encoder spells as the standard library does (a test
    asks for every character); `meta`, which may hold floats, is put in afterwards: in sorted order it comes second.
    """
    content = CONTENT_ENCODER.encode({key: payload[key] for key in CONTENT_KEYS})
    second = len(b'{"final_answer":') + len(CONTENT_ENCODER.encode(payload["final_answer"]))
    meta = canonical_json(payload["meta"]).encode()
    return b"".join((content[:second], b',"meta":', meta, content[second:])).decode(), sha256_hex(content)


def stable_id(payload: dict, index: int) -> UUID:
    """The id of the trace at `index` of a golden or generated set: the same on every machine, for ever."""
    return uuid5(STABLE_IDS, f"{content_sha256(payload)}:{index}")
