"""What the columns of a trace hold: the one place that takes them out of a payload."""

from typing import Any

from traces.words import words_of
from training.canonical import sha256_hex, spelled
from training.splits import group_of

MAX_SOURCE = 200
MAX_TAG = 100

GIVEN = ("id", "created_at", "created_by_id", "parent_id", "imported_by_id")
TAKEN = (
    "canonical",
    "trace_version",
    "prompt",
    "final_answer",
    "meta",
    "source",
    "step_count",
    "group",
    "content_sha256",
    "words",
)
COLUMNS = GIVEN + TAKEN


def taken(payload: dict) -> tuple:
    """The values of TAKEN for a payload that `training.schema.read_trace` has accepted; `meta` is still an object."""
    meta, steps = payload["meta"], payload["steps"]
    source = meta.get("source") if meta else None
    canonical, content_sha256 = spelled(payload)
    return (
        canonical,
        payload["trace_version"],
        payload["prompt"],
        payload["final_answer"],
        meta,
        source[:MAX_SOURCE] if isinstance(source, str) else "",
        len(steps),
        sha256_hex(group_of(payload)),
        content_sha256,
        words_of([payload["prompt"], payload["final_answer"], *[step["content"] for step in steps]]),
    )


def tags_in(meta: dict[str, Any] | None) -> list[str]:
    """The tags that a trace brings along: the distinct short texts of the list `meta.tags`."""
    tags = meta.get("tags") if meta else None
    if not isinstance(tags, list):
        return []
    return list(dict.fromkeys(tag for tag in tags if isinstance(tag, str) and 0 < len(tag) <= MAX_TAG))
