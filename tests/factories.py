"""Rows for tests, made as simply as they can be: a function takes what the test cares about and fills in the rest."""

from datetime import datetime
from itertools import count

from django.contrib.auth import get_user_model

from traces import services
from traces.models import Trace

NOBODY = "3f7a1f98-bb39-4ede-bcc7-510850ec3efb"  # an id that nothing has

numbers = count(1)


def make_user(name: str | None = None, **fields):
    return get_user_model().objects.create_user(name or f"user-{next(numbers)}", **fields)


def make_payload(prompt: str = "What is 27 × 19?", *, steps: int | list[str] = 2, final_answer: str = "513", meta=None):
    """A valid trace; `steps` as texts, or how many."""
    texts = steps if isinstance(steps, list) else [f"27 × {i} = {27 * i}" for i in range(steps)]
    return {
        "trace_version": "1.0",
        "prompt": prompt,
        "steps": [{"i": i, "type": "compute", "content": text} for i, text in enumerate(texts)],
        "final_answer": final_answer,
        "meta": meta,
    }


def make_trace(prompt: str = "What is 27 × 19?", *, by=None, created_at: datetime | None = None, **payload) -> Trace:
    return store([make_payload(prompt, **payload)], by=by, created_at=created_at)[0]


def store(payloads: list[dict], *, by=None, **fields) -> list[Trace]:
    """Stored payloads as rows, in their order."""
    ids = services.store_traces(payloads=payloads, by=by, **fields)
    found = Trace.objects.in_bulk(ids)
    return [found[key] for key in ids]


def make_traces(number: int, **payload) -> list[Trace]:
    """Traces with different prompts, as one batch."""
    payloads = [make_payload(f"What is 27 × {i}?", **payload) for i in range(number)]
    return store(payloads)
