"""What can be done with UNGAR's episodes. Page, API and command call these."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from secrets import randbelow
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from traces import ungar
from traces.models import Trace
from traces.services.intake import store_stable_traces
from training.canonical import canonical_json, stable_id
from training.errors import Fault, Invalid
from training.export_rows import trace_facts, trace_row
from training.request_fields import choice, flag, read_fields, refuse, whole

COUNTS = range(1, 101)  # of one request
SEEDS = range(2**63 - 1_000_000)  # and every episode of a request still has a seed
DRAWN_SEEDS = 2**31
EXPORT_ROWS = range(1, 1_000_001)
CHUNK_ROWS = 500


@dataclass(frozen=True)
class Request:
    """Which episodes are wanted, as which trace; `persist` keeps them."""

    count: int
    seed: int
    task: str = ungar.REVEAL
    persist: bool = True

    def traces(self) -> Iterator[dict]:
        return ungar.traces_of(task=self.task, count=self.count, seed=self.seed)


@dataclass(frozen=True)
class Shown:
    """A trace of an episode; `trace_id` is None unless it is kept."""

    trace_id: UUID | None
    payload: dict

    def to_dict(self) -> dict[str, Any]:
        """The episode's facts, and the trace's texts."""
        texts = {name: self.payload[name] for name in ("prompt", "final_answer")}
        steps = [step["content"] for step in self.payload["steps"]]
        return {"trace_id": self.trace_id, **self.payload["meta"], **texts, "steps": steps}


def status() -> dict[str, Any]:
    """Whether UNGAR can be used, its version, and how to install the one that fits."""
    version = ungar.version()
    return {"available": version is not None, "version": version, "install": ungar.INSTALL}


def read_request(body: Mapping[str, Any], *, counts: range = COUNTS) -> Request:
    """`count`, and `seed` (drawn if absent), `task`, `persist`. Raises NotInstalled, or Invalid with every fault."""
    ungar.player()
    readers = {"count": whole(counts), "seed": whole(SEEDS), "task": choice(*ungar.TASKS), "persist": flag}
    given = read_fields({name: body[name] for name in readers if name in body}, readers)
    if "count" not in given:
        refuse(f"is missing; give {counts[0]} to {counts[-1]}", "missing_field", ("count",))
    return Request(**({"seed": randbelow(DRAWN_SEEDS)} | given))


def store(request: Request, *, by, watch: Callable[[Iterable[dict]], Iterable[dict]] = iter) -> tuple[list[UUID], int]:
    """Keeps the traces of the episodes; returns the ids of all and the number of new ones.

    An episode of a task has one id however it was asked for. `watch` passes the traces on, to show how far it is.
    """
    return store_stable_traces(payloads=watch(request.traces()), start=request.seed, by=by)


def preview(request: Request) -> list[Shown]:
    """The traces of the episodes, each with its id if it is kept already."""
    payloads = list(request.traces())
    ids = [stable_id(payload, payload["meta"]["seed"]) for payload in payloads]
    kept = set(Trace.objects.visible().filter(pk__in=ids).values_list("pk", flat=True))
    return [Shown(id if id in kept else None, payload) for id, payload in zip(ids, payloads, strict=True)]


def export_rows(*, limit: int | None = None, trace_ids: Sequence[UUID] = ()) -> Iterator[str]:
    """The kept traces of the game as lines of the `trace` export, newest first, in constant memory.

    UNGAR itself is not needed. Raises Invalid for an id that is no such trace.
    """
    found = Trace.objects.visible().matching({"source": ungar.SOURCE, "game": ungar.GAME}).newest_first()
    if trace_ids:
        found = found.filter(pk__in=trace_ids)
        missing = set(trace_ids) - set(found.values_list("pk", flat=True))
        if missing:
            message = f"{', '.join(sorted(map(str, missing))[:3])} is no trace of a High Card Duel"
            raise Invalid(Fault(("trace_ids",), message, "unknown_trace"))
    return _lines(found[:limit])


def _lines(traces: QuerySet[Trace]) -> Iterator[str]:
    for trace in traces.only("created_at", "trace_version", "canonical").iterator(CHUNK_ROWS):
        content = {name: trace.payload[name] for name in ("prompt", "final_answer", "meta")}
        steps = [step["content"] for step in trace.payload["steps"]]
        facts = trace_facts(trace.created_at, trace.trace_version)
        row = trace_row(str(trace.pk), steps=steps, facts=facts, **content)
        yield canonical_json(row) + "\n"
