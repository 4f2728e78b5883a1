"""A run is planned and launched: what was asked is checked before a row is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db import transaction

from datasets_app.models import Dataset, EvalSet
from datasets_app.services import evalset_for
from runs import tasks
from runs.models import Run
from runs.pipeline import python_of
from runs.services.disposing import hold
from training.config import MAX_SEED, TrainConfig, named_config
from training.dataset_file import read_dataset
from training.engines import ENGINES, check_engine, may_use_accelerator, why_absent
from training.errors import Fault, Invalid, echo
from training.json_rules import text_faults
from training.memory import require_memory, run_memory
from training.plan import RunPlan, plan
from training.request_fields import within
from training.tensor_files import check_weights
from tunixrt.jobs.work import enqueue
from tunixrt.lib.errors import Conflict, Unavailable

MAX_NAME = 200


def launch_run(
    *,
    dataset_key: str,
    config: dict | None = None,
    config_name: str | None = None,
    seed: int | None = None,
    engine: str = "jax",
    name: str = "",
    evalset: EvalSet | None = None,
    parent: Run | None = None,
    by=None,
) -> Run:
    """Writes a pending run with its work and rings for it. With `parent`, it is told as a clone of that one.

    The config is given whole or by the name of one that comes with the package. A seed that nobody gave is drawn.
    Raises Invalid with the places that are wrong, Conflict for a dataset that is not frozen, Unavailable for an engine
    that is not installed.
    """
    dataset, resolved = _checked(dataset_key, config, config_name, seed, engine)
    name = checked_name(name) or f"{dataset.key} · {config_name or resolved.model.name}"[:MAX_NAME]
    return create(
        by,
        reason=f"clone of {parent.pk}" if parent else "launched",
        parent=parent,
        origin=Run.Origin.CLONE if parent else Run.Origin.LAUNCH,
        name=name,
        dataset=dataset,
        evalset=evalset or evalset_for(dataset, by),
        engine=engine,
        config=resolved.to_dict(),
        config_sha256=resolved.sha256(),
        seed=resolved.training.seed,
    )


def plan_run(
    *,
    dataset_key: str,
    config: dict | None = None,
    config_name: str | None = None,
    seed: int | None = None,
    engine: str = "jax",
) -> RunPlan:
    """The sizes of the run that `launch_run` would start, and how long it would take at the pace of the newest
    completed run that computed alike. Stores nothing. Raises what `launch_run` raises, and Invalid
    when the rows do not fit the config, Unavailable when they are gone."""
    dataset, resolved = _checked(dataset_key, config, config_name, seed, engine)
    dataset.check_readable()
    with _faults_in_config():
        planned = plan(resolved, read_dataset(dataset.rows_path), engine=engine)
    pace = Run.objects.pace(resolved.to_dict(), engine)
    return replace(planned, seconds=planned.tokens / pace) if pace else planned


def absent_engines() -> dict[str, str]:
    """Engines that cannot be used on this machine, each with the reason and the way to install it."""
    reason = why_absent(settings.TUNIX_PYTHON)
    return {str(Run.Engine.TUNIX): reason} if reason else {}


def create(by, *, reason: str, **fields: Any) -> Run:
    """A pending run with its first event and its work, all or nothing."""
    with transaction.atomic():
        if parent := fields.get("parent"):
            hold(parent, fields["origin"])
        run = Run.objects.create(created_by=by, **fields)
        run.events.create(to_status=run.status, reason=reason, created_by=by)
        enqueue(tasks.TrainRun.kind, target=run.pk, created_by=by)
    return run


def require_engine(engine: str) -> None:
    """Raises Unavailable, with the way to install it, for an engine that this machine lacks."""
    if reason := absent_engines().get(engine):
        raise Unavailable(reason)


def _checked(
    dataset_key: object, config: dict | None, config_name: str | None, seed: object, engine: object
) -> tuple[Dataset, TrainConfig]:
    """The dataset and the resolved config of a launch."""
    if engine not in ENGINES:
        raise Invalid(Fault(("engine",), f"must be {' or '.join(ENGINES)}, not {echo(engine)}", "unknown_value"))
    if seed is not None and (type(seed) is not int or not 0 <= seed <= MAX_SEED):
        msg = f"must be a whole number from 0 to {MAX_SEED}, not {echo(seed)}"
        raise Invalid(Fault(("seed",), msg, "number_out_of_range"))
    dataset = _frozen_dataset(dataset_key)
    manifest = {"recipe": dataset.recipe, "instruction": dataset.instruction}
    resolved = _checked_config(config, config_name, str(engine)).resolved(manifest=manifest, seed=seed)  # type: ignore[arg-type]
    require_engine(str(engine))
    return dataset, resolved


def _checked_config(config: dict | None, config_name: str | None, engine: str) -> TrainConfig:
    if (config is None) == (config_name is None):
        raise Invalid(Fault(("config",), "give exactly one of config and config_name", "missing_field"))
    named = None if config_name is None else named_config(config_name)
    with _faults_in_config():
        checked = named or TrainConfig.from_dict(config)
        check_engine(checked, engine)
        if checked.model.weights:
            check_weights(checked.model.weights, checked.model.family)
        _check_memory(checked, engine)
    if checked.eval.evalset is not None:
        msg = "is a file, which only offline runs read; name an evalset of this installation when you launch"
        raise Invalid(Fault(("config", "eval", "evalset"), msg, "wrong_value"))
    return checked


@contextmanager
def _faults_in_config() -> Iterator[None]:
    """Faults found inside stand in the field `config` of the request."""
    try:
        yield
    except Invalid as invalid:
        raise Invalid(within(invalid, "config"))


def _check_memory(config: TrainConfig, engine: str) -> None:
    """Raises Invalid for a run that this machine cannot hold. What a GPU holds, only the training itself can ask."""
    device, python = settings.RUN_DEVICE, python_of(engine)
    if device == "cpu" or (device == "auto" and not may_use_accelerator(python)):
        vocab_size = 0 if config.model.weights else config.tokenizer.vocab_size  # weights have one of their own
        require_memory(run_memory(config, config.shape(vocab_size), engine=engine), settings.RUN_MEMORY_BYTES)


def _frozen_dataset(key: object) -> Dataset:
    dataset = Dataset.objects.with_key(key).first() if isinstance(key, str) else None
    if dataset is None:
        raise Invalid(Fault(("dataset_key",), f"there is no dataset {echo(key)}", "unknown_dataset"))
    if dataset.status != Dataset.Status.FROZEN:
        raise Conflict(f"The dataset {dataset.key} is {dataset.status}, not frozen.", code="not_frozen")
    return dataset


def checked_name(name: object) -> str:
    """The name without blanks around it. Raises Invalid unless it is text that every database and page can hold."""
    if not isinstance(name, str) or len(name) > MAX_NAME:
        msg = f"must be text of at most {MAX_NAME} characters, not {echo(name)}"
        raise Invalid(Fault(("name",), msg, "wrong_value"))
    if faults := list(text_faults(name, ("name",))):
        raise Invalid(faults)
    return name.strip()
