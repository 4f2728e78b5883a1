"""The noise floor: how far the score of a run moves when nothing but its seed does."""

from typing import Any

from runs.entries import version_of
from runs.models import Evaluation, Run
from training.statistics import NoiseFloor, noise_floor

MOST = 1000  # runs looked at, the newest
COLUMNS = ("run__seed", "run__config", "judges", "correct_count", "scored_count")


def floor_of(result: Evaluation) -> NoiseFloor | None:
    """Measured on the completed runs that are like this result's but for their seed, archived ones too; None of few.

    A seed counts once, with its newest run: what is computed again with the same seed is no new measurement. Scores of
    another version of the judge are no measurement of the seed either.
    """
    run, scores = result.run, dict[int, float]()
    alike = Run.objects.examined_on(run.evalset).filter(dataset=run.dataset, engine=run.engine)
    found = Evaluation.objects.current().filter(stage=Evaluation.Stage.AFTER, scored_count__gt=0, run__in=alike)
    newest_first = found.order_by("-run__created_at", "-run_id").values_list(*COLUMNS)[:MOST]
    for seed, config, judges, right, scored in newest_first:
        same_judge = version_of(judges) == version_of(result.judges)
        if same_judge and _but_for_the_seed(config) == _but_for_the_seed(run.config):
            scores.setdefault(seed, right / scored)
    return noise_floor(list(scores.values()))


def floor_between(base: Evaluation, other: Evaluation) -> NoiseFloor | None:
    """That of the one of two runs whose score moves further; None where neither was measured."""
    floors = [floor for result in (base, other) if (floor := floor_of(result))]
    return max(floors, key=lambda floor: floor.limit, default=None)


def _but_for_the_seed(config: dict[str, Any]) -> dict[str, Any]:
    """A config without its seed and without the mesh, which only says where the same is computed."""
    training = {name: value for name, value in config["training"].items() if name != "seed"}
    return {name: value for name, value in config.items() if name != "mesh"} | {"training": training}
