"""The row of the `trace` export: what every room writes when it hands traces on, and what `import` reads as `ungar`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID


def trace_row(trace_id: UUID | str, payload: Mapping[str, Any], facts: Mapping[str, str]) -> dict[str, Any]:
    """`{"id", "prompts", "trace_steps", "final_answer", "metadata"}`; the metadata are `meta` and the `facts`."""
    return {
        "id": str(trace_id),
        "prompts": payload["prompt"],
        "trace_steps": [step["content"] for step in payload["steps"]],
        "final_answer": payload["final_answer"],
        "metadata": {**(payload["meta"] or {}), **facts},
    }


def trace_facts(created_at: datetime, trace_version: str) -> dict[str, str]:
    """What a trace's row tells beyond its content; `created_at` is in UTC."""
    return {"created_at": f"{created_at:%Y-%m-%dT%H:%M:%S.%fZ}", "trace_version": trace_version}
