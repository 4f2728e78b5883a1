"""The noise floor: how far the score of a run moves when nothing but its seed does."""

from typing import Any

from runs.models import Run
from training.statistics import NoiseFloor, noise_floor

MOST = 1000  # runs looked at, the newest


def floor_of(run: Run) -> NoiseFloor | None:
    """Measured on the completed runs that are like this one but for their seed, archived ones too; None of too few.

    A seed counts once, with its newest run: what is computed again with the same seed is no new measurement.
    """
    alike = Run.objects.examined_on(run.evalset).filter(dataset=run.dataset, engine=run.engine).newest_first()
    scores: dict[int, float] = {}
    for seed, config, metrics in alike.values_list("seed", "config", "metrics")[:MOST]:
        if metrics.get("answer_correctness") is not None and _but_for_the_seed(config) == _but_for_the_seed(run.config):
            scores.setdefault(seed, metrics["answer_correctness"])
    return noise_floor(list(scores.values()))


def floor_between(base: Run, other: Run) -> NoiseFloor | None:
    """That of the one of two runs whose score moves further; None where neither was measured."""
    floors = [floor for run in (base, other) if (floor := floor_of(run))]
    return max(floors, key=lambda floor: floor.limit, default=None)


def _but_for_the_seed(config: dict[str, Any]) -> dict[str, Any]:
    """A config without its seed and without the mesh, which only says where the same is computed."""
    training = {name: value for name, value in config["training"].items() if name != "seed"}
    return {name: value for name, value in config.items() if name != "mesh"} | {"training": training}
