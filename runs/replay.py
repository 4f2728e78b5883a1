"""Whether two runs of the same thing came out the same: losses, parameters, and what they were given."""

import json
import math
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from runs import series
from training.record import read_record
from training.stopping import TIME

FIGURES = ("step", "split", "loss", "grad_norm", "learning_rate", "tokens")  # the others measure the machine
INPUTS = ("config_sha256", "dataset_sha256", "weights", "seed", "microbatch", "code_version", "libraries", "machine")


class _End(NamedTuple):
    """Where a run stood in its newest checkpoint."""

    step: int
    progress: dict[str, Any]


def differences(base: Path, other: Path) -> list[str]:
    """Sentences that say where two run directories differ and which inputs may be why; none when they agree.

    Of runs that the clock ended after different steps, what both did is compared.
    """
    mine, theirs = (_end(directory) for directory in (base, other))
    if mine.step != theirs.step and TIME in (mine.progress.get("ended"), theirs.progress.get("ended")):
        clock = f"The clock (training.max_seconds) decided where they end: after step {mine.step} and {theirs.step}."
        found = [clock, *_first_step(base, other, before=min(mine.step, theirs.step))]
        return [*found, *(_inputs(base, other) if len(found) > 1 else ["What both did is the same."])]
    found = [*_first_step(base, other), *_parameters(mine, theirs)]
    return [*found, *_inputs(base, other)] if found else []


def _first_step(base: Path, other: Path, *, before: float = math.inf) -> Iterator[str]:
    """A sentence about the first line that differs. A run that the clock ends logs more of its last step."""
    runs = (series.read_metrics(directory / series.METRICS) for directory in (base, other))
    for mine, theirs in zip_longest(*([point for point in points if point["step"] < before] for points in runs)):
        if mine is None or theirs is None:
            yield "One has more losses than the other."
            return
        for figure in FIGURES:
            if mine.get(figure) != theirs.get(figure):
                values = f"{mine.get(figure)} and {theirs.get(figure)}"
                yield f"The first difference is at step {mine['step']} ({mine['split']}): {figure} is {values}."
                return


def _parameters(*ends: _End) -> Iterator[str]:
    """A sentence about the hashes of the values, which training wrote down beside them."""
    mine, theirs = (end.progress.get("params_sha256") for end in ends)
    if mine is None or theirs is None:
        yield "The parameters cannot be compared: a last checkpoint without their hash."
    elif mine != theirs:
        yield f"The final parameters differ: {mine[:12]} and {theirs[:12]}."


def _end(directory: Path) -> _End:
    newest = max(directory.glob("checkpoints/[0-9]*/progress/metadata"), key=_step, default=None)
    return _End(_step(newest), json.loads(newest.read_bytes())) if newest else _End(-1, {})


def _step(progress: Path) -> int:
    name = progress.parent.parent.name
    return int(name) if name.isdecimal() else -1


def _inputs(base: Path, other: Path) -> list[str]:
    records = [read_record(directory) for directory in (base, other)]
    given = {name: [record.get(name) for record in records] for name in INPUTS}
    return [_difference(name, mine, theirs) for name, (mine, theirs) in given.items() if mine != theirs]


def _difference(name: str, mine: Any, theirs: Any) -> str:
    return f"They were given different inputs: {name} is {mine} and {theirs}."
