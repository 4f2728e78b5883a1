"""What every face asks of this room: launch, cancel, do again, examine again, compare, rank."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from datasets_app.models import Dataset, EvalSet
from datasets_app.services import evalset_for
from runs import tasks
from runs.models import Evaluation, Run
from runs.pipeline import python_of
from training.config import MAX_SEED, TrainConfig, named_config
from training.dataset_file import read_dataset
from training.engines import ENGINES, check_engine, may_use_accelerator, why_absent
from training.errors import Fault, Invalid, echo
from training.json_rules import text_faults
from training.memory import require_memory, run_memory
from training.plan import RunPlan, plan
from training.request_fields import within
from training.results import Comparison, compare
from training.shapes import OWN_FAMILY
from training.tensor_files import check_weights
from tunixrt.jobs import work
from tunixrt.jobs.work import enqueue
from tunixrt.lib.errors import Conflict, Rule, Unavailable

MAX_NAME = 200
RETRIED = (Run.Status.TRAINING_FAILED, Run.Status.EVALUATION_FAILED, Run.Status.CANCELLED)
RESUMED = (Run.Status.TRAINING_FAILED, Run.Status.CANCELLED)
TRAINED = (Run.Status.COMPLETED, Run.Status.EVALUATION_FAILED)


@dataclass(frozen=True)
class Standing:
    """A run's place among those examined on the same items: one more than the number of runs surely better."""

    rank: int
    run: Run


@dataclass(frozen=True)
class RunComparison:
    """Two runs on the same items: what differs in their configs, and which items they answer differently."""

    base: Run
    other: Run
    config: list[tuple[str, Any, Any]]  # dotted path, base's value, other's value; the engine too
    results: Comparison


def launch_run(
    *,
    dataset_key: str,
    config: dict | None = None,
    config_name: str | None = None,
    seed: int | None = None,
    engine: str = "jax",
    name: str = "",
    evalset: EvalSet | None = None,
    by=None,
) -> Run:
    """Writes a pending run with its work and rings for it.

    The config is given whole or by the name of one that comes with the package. A seed that nobody gave is drawn.
    Raises Invalid with the places that are wrong, Conflict for a dataset that is not frozen, Unavailable for an engine
    that is not installed.
    """
    dataset, resolved = _checked(dataset_key, config, config_name, seed, engine)
    name = _checked_name(name) or f"{dataset.key} · {config_name or resolved.model.name}"[:MAX_NAME]
    return _create(
        by,
        reason="launched",
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


def cancel_run(*, run: Run, by=None) -> None:
    """Cancels an open run: at once while it waits, else as soon as its worker has stopped the child."""
    with transaction.atomic():
        job = run.job
        if job is None or not job.is_open:
            raise Conflict(f"{run} is {run.state}: there is nothing to cancel.", code="wrong_state")
        if job.cancel_requested:
            return
        run.note("asked to cancel", by)
        work.cancel(job)
        if not job.cancel_requested:
            raise Conflict(f"{run} finished this stage at this very moment. Look again.", code="wrong_state")


def retry_run(*, run: Run, by=None) -> Run:
    """A new run with the config, seed and data of one that did not come to its end."""
    _require(run, RETRIED, "retried; a run that came to its end can be replayed")
    return _again(run, Run.Origin.RETRY, by)


def resume_run(*, run: Run, by=None) -> Run:
    """A new run that goes on from the newest checkpoint of one that was cancelled or failed in training."""
    _require(run, RESUMED, "resumed")
    if not run.has_checkpoint:
        raise Conflict(f"{run} sealed no checkpoint to resume from. Retry it.", code="no_checkpoint")
    return _again(run, Run.Origin.RESUME, by)


def replay_run(*, run: Run, by=None) -> Run:
    """A new run that does again what a trained one did, to see that the same comes out."""
    _require(run, TRAINED, "replayed")
    return _again(run, Run.Origin.REPLAY, by)


def evaluate_run(*, run: Run, by=None) -> Run:
    """Examines a trained run again; the rows replace those it has once they are whole."""
    _require(run, TRAINED, "examined")
    if run.config["model"]["family"] != OWN_FAMILY:
        _require_engine(Run.Engine.TUNIX)
    with transaction.atomic():
        run.move(Run.Status.EVALUATING, reason="to be examined again", by=by, error="")
        enqueue(tasks.EvaluateRun.kind, target=run.pk, created_by=by)
    return run


def compare_runs(*, base: Run, other: Run) -> RunComparison:
    """Two trained models on the same items. Raises Conflict when one has no results, Rule when the items differ."""
    rows = [_rows_after(run) for run in (base, other)]
    if base.evalset_id != other.evalset_id:
        raise Rule("These runs were examined on different evalsets, so their scores do not compare.")
    return RunComparison(base, other, config_difference(base, other), compare(*rows))


def leaderboard(*, evalset: EvalSet) -> list[Standing]:
    """Completed runs on exactly these items, the newest of each dataset, engine and config; best first.

    A run is surely better when its whole interval lies above the other's: intervals that overlap are a tie.
    """
    newest: dict[tuple, Run] = {}
    for run in Run.objects.examined_on(evalset).with_dataset().newest_first():
        newest.setdefault((run.dataset_id, run.engine, run.config_sha256), run)
    scored = [run for run in newest.values() if run.metrics["answer_correctness"] is not None]
    runs = sorted(scored, key=lambda run: -run.metrics["answer_correctness"])
    spans = {run.pk: run.metrics["answer_correctness_interval"] for run in runs}
    return [Standing(1 + sum(low > spans[run.pk][1] for low, _ in spans.values()), run) for run in runs]


def find_run(identifier: object, loc: str = "run") -> Run:
    """The run of that id; raises Invalid at `loc` when there is none."""
    try:
        return Run.objects.with_dataset().get(pk=UUID(str(identifier)))
    except (ValueError, Run.DoesNotExist):
        raise Invalid(Fault((loc,), f"there is no run {echo(identifier)}", "unknown_value"))


def find_evalset(identifier: object) -> EvalSet:
    """The evalset of that id; raises Invalid when there is none."""
    try:
        return EvalSet.objects.get(pk=UUID(str(identifier)))
    except (ValueError, EvalSet.DoesNotExist):
        raise Invalid(Fault(("evalset",), f"there is no evalset {echo(identifier)}", "unknown_value"))


def config_difference(base: Run, other: Run) -> list[tuple[str, Any, Any]]:
    """The engine and the fields of two runs' configs that differ; the mesh only says where the same is computed."""
    mine, theirs = ({"engine": run.engine} | _flat(_as_read_now(run.config)) for run in (base, other))
    return [
        (path, mine.get(path), theirs.get(path)) for path in {**mine, **theirs} if mine.get(path) != theirs.get(path)
    ]


def _as_read_now(config: dict) -> dict[str, Any]:
    """A stored config with today's defaults for the fields that it lacks; as it is when it can be read no more."""
    with suppress(Invalid):
        config = TrainConfig.from_dict(config).to_dict()
    return {section: fields for section, fields in config.items() if section != "mesh"}


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """The fields in it by dotted path, lists as lists."""
    if not isinstance(value, dict):
        return {path: list(value) if isinstance(value, tuple) else value}
    found: dict[str, Any] = {}
    for name, inner in value.items():
        found |= _flat(inner, f"{path}.{name}" if path else name)
    return found


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
    _require_engine(str(engine))
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


def _require_engine(engine: str) -> None:
    if reason := absent_engines().get(engine):
        raise Unavailable(reason)


def _frozen_dataset(key: object) -> Dataset:
    dataset = Dataset.objects.with_key(key).first() if isinstance(key, str) else None
    if dataset is None:
        raise Invalid(Fault(("dataset_key",), f"there is no dataset {echo(key)}", "unknown_dataset"))
    if dataset.status != Dataset.Status.FROZEN:
        raise Conflict(f"The dataset {dataset.key} is {dataset.status}, not frozen.", code="not_frozen")
    return dataset


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or len(name) > MAX_NAME:
        msg = f"must be text of at most {MAX_NAME} characters, not {echo(name)}"
        raise Invalid(Fault(("name",), msg, "wrong_value"))
    if faults := list(text_faults(name, ("name",))):
        raise Invalid(faults)
    return name.strip()


def _again(parent: Run, origin: str, by) -> Run:
    """A new run of what `parent` was a run of. Raises Unavailable when its engine is not installed any more."""
    _require_engine(parent.engine)
    same = ("name", "engine", "dataset", "evalset", "config", "config_sha256", "seed")
    fields = {name: getattr(parent, name) for name in same}
    return _create(by, reason=f"{origin} of {parent.pk}", parent=parent, origin=origin, **fields)


def _create(by, *, reason: str, **fields: Any) -> Run:
    with transaction.atomic():
        run = Run.objects.create(created_by=by, **fields)
        run.events.create(to_status=run.status, reason=reason, created_by=by)
        enqueue(tasks.TrainRun.kind, target=run.pk, created_by=by)
    return run


def _require(run: Run, allowed: tuple[str, ...], what: str) -> None:
    run.refresh_from_db(fields=["status"])
    if run.status not in allowed:
        raise Conflict(f"{run} is {run.state}: it cannot be {what}.", code="wrong_state")


def _rows_after(run: Run) -> list[dict]:
    evaluation = run.evaluations.current().filter(stage=Evaluation.Stage.AFTER).first()
    if evaluation is None:
        raise Conflict(f"{run} has no results to compare: it is {run.state}.", code="not_examined")
    return evaluation.rows()
