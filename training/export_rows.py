"""The row of the `trace` export: what every room writes when it hands traces on, and what `import` reads as `ungar`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any


def trace_row(
    trace_id: object, *, prompt: object, steps: Sequence, final_answer: object, meta: Mapping | None, facts: Mapping
) -> dict[str, Any]:
    """`{"id", "prompts", "trace_steps", "final_answer", "metadata"}`; the metadata are `meta` and the `facts`.

    The values are texts, or JSON that is spelled already; `steps` are the contents of the steps.
    """
    return {
        "id": trace_id,
        "prompts": prompt,
        "trace_steps": steps,
        "final_answer": final_answer,
        "metadata": {**(meta or {}), **facts},
    }


def trace_facts(created_at: datetime, trace_version: str) -> dict[str, str]:
    """What a trace's row tells beyond its content; `created_at` is in UTC."""
    return {"created_at": f"{created_at:%Y-%m-%dT%H:%M:%S.%fZ}", "trace_version": trace_version}
