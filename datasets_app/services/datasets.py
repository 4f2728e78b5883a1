"""Datasets: build, seed, cancel."""

import secrets
from itertools import islice
from typing import Any
from uuid import uuid5

from django.db import IntegrityError, transaction
from django.utils import timezone

from datasets_app.build_request import MAX_LIMIT, SEEDS, BuildRequest, read_build_request
from datasets_app.keys import split_key
from datasets_app.models import Dataset
from datasets_app.pipeline import BuildDataset, put_on_disk, refused
from datasets_app.seeding import SEEDED_AT, SeededSet, read_seeded_set
from datasets_app.selection import CHUNK, Selection, foreseen, select
from traces.models import Trace
from traces.services import store_traces
from training.canonical import STABLE_IDS, canonical_json
from training.errors import Fault, Invalid, echo
from tunixrt.jobs.models import Job
from tunixrt.jobs.services import once
from tunixrt.jobs.work import cancel, enqueue, perform
from tunixrt.lib.errors import Conflict, Rule

INLINE_TRACES = 5_000  # a build of more is left to a worker


def build_dataset(
    *, request: object, by, idempotency_key: str | None = None, at_once: bool = False, watch=None
) -> tuple[Dataset, bool]:
    """Builds what `request` asks for, or has a worker build it when it is large. Returns (dataset, whether it is new).

    A key that is frozen already with the same content gives that dataset. `at_once` builds before returning, however
    large it is; `watch` is told of the progress made here. Raises Invalid for a bad request, Rule when no trace
    matches or a gate refuses, Conflict when the key holds other content or the build fails.
    """
    wanted = read_build_request(request)
    target, is_first = once(
        user=by, key=idempotency_key, request=request, create=lambda: _begin(wanted, by, at_once).pk
    )
    dataset = Dataset.objects.get(pk=target)
    if dataset.status in (Dataset.Status.FAILED, Dataset.Status.CANCELLED):  # what this Idempotency-Key began
        raise Conflict(
            f"This build is {dataset.status}: {dataset.error}. Ask again with a new key.", code="build_failed"
        )
    if not is_first or dataset.status != Dataset.Status.BUILDING:
        return dataset, False
    here = at_once or dataset.trace_count <= INLINE_TRACES
    return _build_here(dataset, watch) if here else dataset, True


def seed_dataset(
    *, key: str, count: int | None = None, seed: int | None = None, difficulty: int | None = None, by=None
) -> Dataset:
    """Stores and freezes a golden set, or `{problem}-{version}` with generated traces. Both files are a function of
    the arguments: the same everywhere, and untouched when it is called again.

    Raises Invalid for a key or number that cannot be, Conflict when the key holds other content.
    """
    wanted = read_seeded_set(key, count, seed, difficulty)
    existing = Dataset.objects.by_key(key)
    if existing and existing.status == Dataset.Status.FROZEN and existing.request.get("seeded") == wanted.to_dict():
        put_on_disk(existing)
        return existing
    if existing and existing.status == Dataset.Status.FROZEN:
        raise _frozen(existing, [Fault(("seeded",), f"asked for was {canonical_json(wanted.to_dict())}", "frozen")])
    _store_seeded(wanted, by)
    name, version = split_key(key)
    request = BuildRequest(name, version, selection_strategy="all", limit=wanted.count, provenance={"seeded": key})
    dataset = _claim(
        existing,
        request=request.resolved(wanted.seed) | {"seeded": wanted.to_dict()},
        trace_count=wanted.count,
        by=by,
        here=True,
        pk=uuid5(STABLE_IDS, f"dataset:{key}"),
        created_at=SEEDED_AT,
    )
    return _build_here(dataset)


def cancel_build(*, dataset: Dataset) -> None:
    """Stops a build. Raises Conflict when there is none to stop."""
    job = Job.objects.for_target(dataset.pk).open().first()
    if job is None:
        raise Conflict(f"{dataset} is {dataset.status}: there is no build to cancel.", code="wrong_state")
    cancel(job)


def _begin(wanted: BuildRequest, by, at_once: bool) -> Dataset:
    """The row of a build that is to be worked on, or the frozen dataset that holds what is wanted."""
    existing = Dataset.objects.by_key(wanted.key)
    if existing and existing.key == wanted.key and existing.status == Dataset.Status.FROZEN:
        return _same(existing, wanted)
    seed = secrets.randbelow(SEEDS[-1]) if wanted.seed is None else wanted.seed
    found = foreseen(wanted.resolved(seed)).rows
    if not found:
        raise Rule("No trace matches these filters. Widen them, or import traces first.", code="no_traces")
    if found > wanted.most == MAX_LIMIT and wanted.limit is None:
        raise Rule(f"More than {MAX_LIMIT} traces match. Give a limit, or narrower filters.", code="too_many_traces")
    count = min(found, wanted.most)
    return _claim(
        existing,
        request=wanted.resolved(seed),
        trace_count=count,
        by=by,
        here=at_once or count <= INLINE_TRACES,
        created_at=timezone.now(),
    )


def _same(existing: Dataset, wanted: BuildRequest) -> Dataset:
    """The frozen dataset, its directory restored if it was lost. Raises Conflict that says what is wanted otherwise."""
    differing = [
        Fault(
            (name,), f"{echo(getattr(wanted, name))} is asked for, {echo(getattr(existing, name))} is frozen", "frozen"
        )
        for name in ("recipe", "instruction", "max_length")
        if getattr(existing, name) != getattr(wanted, name)
    ]
    seed = existing.seed if wanted.seed is None else wanted.seed
    frozen = Selection.of(existing.items.order_by("position").values_list("trace_id", flat=True).iterator())
    selected = select(wanted.resolved(seed))
    if selected != frozen:
        differing.append(Fault(("trace_ids",), _difference(frozen, selected), "frozen"))
    if differing:
        raise _frozen(existing, differing)
    put_on_disk(existing)
    return existing


def _difference(frozen: Selection, selected: Selection) -> str:
    fresh, gone = selected.count_beside(frozen), frozen.count_beside(selected)
    if not fresh and not gone:
        return "the same traces are selected in another order"
    return f"{len(selected)} are selected now, {fresh} of them new; {gone} of the {len(frozen)} frozen ones are not"


def _frozen(existing: Dataset, faults: list[Fault]) -> Conflict:
    return Conflict(f"{existing} is frozen with other content. Choose another version.", code="frozen", faults=faults)


def _claim(
    existing: Dataset | None, *, request: dict[str, Any], trace_count: int, by, here: bool, **fields: Any
) -> Dataset:
    """The row that is to be built and its job: a new row, or that of a build that failed or was cancelled."""
    name, version = request["dataset_name"], request["dataset_version"]
    key = f"{name}-{version}"
    fields |= {"request": request, "trace_count": trace_count, "created_by": by, "error": ""}
    fields |= {column: request[column] for column in ("seed", "recipe", "instruction", "max_length")}
    fields["parent"] = _parent(request["parent_dataset_id"])
    if existing and existing.key != key:
        raise Conflict(f"{existing} is taken; {key} differs from it in case only.", code="frozen")
    if existing and _is_worked_on(existing):
        raise Conflict(f"{key} is being built. Wait for it, or cancel it.", code="being_built")
    try:
        with transaction.atomic():
            if existing:
                fields.pop("pk", None)
                existing.move(Dataset.Status.BUILDING, **fields)
            dataset = existing or Dataset.objects.create(key=key, name=name, version=version, **fields)
            enqueue(BuildDataset.kind, target=dataset.pk, created_by=by, here=here)
            return dataset
    except IntegrityError:
        raise Conflict(f"Somebody else has just begun to build {key}.", code="being_built")


def _parent(dataset_id: str | None) -> Dataset | None:
    parent = Dataset.objects.frozen().filter(pk=dataset_id).first() if dataset_id else None
    if dataset_id and parent is None:
        msg = f"there is no frozen dataset {echo(dataset_id)}"
        raise Invalid(Fault(("parent_dataset_id",), msg, "unknown_dataset"))
    return parent


def _is_worked_on(dataset: Dataset) -> bool:
    return Job.objects.for_target(dataset.pk).open().exists()


def _build_here(dataset: Dataset, watch=None) -> Dataset:
    """Builds a claimed dataset, unless a worker was faster to. Raises Rule when a gate refuses, Conflict when it fails
    otherwise."""
    job = dataset.job
    if job:
        perform(job.pk, watch)
    dataset.refresh_from_db()
    if dataset.status in (Dataset.Status.FAILED, Dataset.Status.CANCELLED):
        raise refused(dataset)
    return dataset


def _store_seeded(wanted: SeededSet, by) -> None:
    """Stores the traces of a seeded set that are not in the database yet."""
    pairs = wanted.payloads()
    while chunk := dict(islice(pairs, CHUNK)):
        held = dict(Trace.objects.filter(pk__in=chunk).values_list("pk", "canonical"))
        for trace_id, text in held.items():
            if text != canonical_json(chunk[trace_id]):
                raise Conflict(
                    f"Trace {trace_id} of another seeded set has the same content and place, and another meta. "
                    "Choose another seed or difficulty.",
                    code="trace_taken",
                )
        missing = {trace_id: payload for trace_id, payload in chunk.items() if trace_id not in held}
        if missing:
            store_traces(payloads=missing.values(), ids=list(missing), by=by, created_at=SEEDED_AT)
