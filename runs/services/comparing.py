"""Two runs beside each other: on the same items, and what differs in their configs."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from runs import noise, verdicts
from runs.models import Evaluation, Run
from training.config import TrainConfig
from training.decision import Decided
from training.errors import Invalid
from training.inputs import flat
from training.results import Comparison, compare
from tunixrt.lib.errors import Conflict, Rule


@dataclass(frozen=True)
class RunComparison:
    """Two runs on the same items: what differs in their configs, and which items they answer differently."""

    base: Run
    other: Run
    config: list[tuple[str, Any, Any]]  # dotted path, base's value, other's value; the engine too
    results: Comparison
    decided: Decided  # whether the other may take the base's place


def compare_runs(*, base: Run, other: Run) -> RunComparison:
    """Two trained models on the same items. Raises Conflict when one has no results, Rule when the items differ."""
    before, after = (_rows_after(run) for run in (base, other))
    if base.evalset_id != other.evalset_id:
        raise Rule("These runs were examined on different evalsets, so their scores do not compare.")
    decided = verdicts.decide(before, after, base.evalset, noise=noise.floor_between(base, other))
    return RunComparison(base, other, config_difference(base, other), compare(before, after), decided)


def config_difference(base: Run, other: Run) -> list[tuple[str, Any, Any]]:
    """The engine and the fields of two runs' configs that differ; the mesh only says where the same is computed."""
    mine, theirs = ({"engine": run.engine} | flat(_as_read_now(run.config)) for run in (base, other))
    return [
        (path, mine.get(path), theirs.get(path)) for path in {**mine, **theirs} if mine.get(path) != theirs.get(path)
    ]


def _rows_after(run: Run) -> list[dict]:
    evaluation = run.evaluations.current().filter(stage=Evaluation.Stage.AFTER).first()
    if evaluation is None:
        raise Conflict(f"{run} has no results to compare: it is {run.state}.", code="not_examined")
    return evaluation.rows()


def _as_read_now(config: dict) -> dict[str, Any]:
    """A stored config with today's defaults for the fields that it lacks; as it is when it can be read no more."""
    with suppress(Invalid):
        config = TrainConfig.from_dict(config).to_dict()
    return {section: fields for section, fields in config.items() if section != "mesh"}
