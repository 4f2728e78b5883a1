"""The columns of a trace, filled from a payload: the one place that does so."""

from datetime import datetime
from typing import Any
from uuid import UUID

from traces.words import words_of
from training.canonical import canonical_json, sha256_hex, spelled
from training.splits import group_of

MAX_SOURCE = 200
MAX_TAG = 100
COLUMNS = (
    "id",
    "created_at",
    "created_by_id",
    "parent_id",
    "imported_by_id",
    "canonical",
    "trace_version",
    "prompt",
    "final_answer",
    "meta",
    "source",
    "step_count",
    "character_count",
    "group",
    "content_sha256",
    "words",
)
ID, CANONICAL, HASH = map(COLUMNS.index, ("id", "canonical", "content_sha256"))


def row_of(
    payload: dict,
    *,
    id: UUID,
    created_at: datetime,
    created_by: int | None = None,
    parent: UUID | None = None,
    imported_by: UUID | None = None,
) -> tuple:
    """The values of COLUMNS, as `tunixrt.lib.bulk` writes them, for a payload that `read_trace` has accepted."""
    meta, steps = payload["meta"], payload["steps"]
    source = meta.get("source") if meta else None
    canonical, content_sha256 = spelled(payload)
    texts = [payload["prompt"], payload["final_answer"], *[step["content"] for step in steps]]
    return (
        id,
        created_at,
        created_by,
        parent,
        imported_by,
        canonical,
        payload["trace_version"],
        payload["prompt"],
        payload["final_answer"],
        None if meta is None else canonical_json(meta),
        source[:MAX_SOURCE] if isinstance(source, str) else "",
        len(steps),
        sum(map(len, texts)),
        sha256_hex(group_of(payload)),
        content_sha256,
        words_of(texts),
    )


def tags_in(meta: dict[str, Any] | None) -> list[str]:
    """The tags that a trace brings along: the distinct short texts of the list `meta.tags`."""
    tags = meta.get("tags") if meta else None
    if not isinstance(tags, list):
        return []
    return list(dict.fromkeys(tag for tag in tags if isinstance(tag, str) and 0 < len(tag) <= MAX_TAG))
