"""Whether two runs of the same thing came out the same: losses, parameters, and what they were given."""

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from runs import series
from training.record import read_record

FIGURES = ("step", "split", "loss", "grad_norm", "learning_rate", "tokens")  # the others measure the machine
INPUTS = ("config_sha256", "dataset_sha256", "weights", "seed", "microbatch", "code_version", "libraries", "machine")


def differences(base: Path, other: Path) -> list[str]:
    """Sentences that say where two run directories differ and which inputs may be why; none when they agree."""
    found = [*_first_step(base, other), *_parameters(base, other)]
    return [*found, *_inputs(base, other)] if found else []


def _first_step(base: Path, other: Path) -> Iterator[str]:
    points = (series.read_metrics(directory / series.METRICS) for directory in (base, other))
    for mine, theirs in zip_longest(*points):
        if mine is None or theirs is None:
            yield "One has more losses than the other."
            return
        for figure in FIGURES:
            if mine.get(figure) != theirs.get(figure):
                values = f"{mine.get(figure)} and {theirs.get(figure)}"
                yield f"The first difference is at step {mine['step']} ({mine['split']}): {figure} is {values}."
                return


def _parameters(base: Path, other: Path) -> Iterator[str]:
    mine, theirs = (_parameters_sha256(directory) for directory in (base, other))
    if mine is None or theirs is None:
        yield "The parameters cannot be compared: a last checkpoint without their hash."
    elif mine != theirs:
        yield f"The final parameters differ: {mine[:12]} and {theirs[:12]}."


def _parameters_sha256(directory: Path) -> str | None:
    """The hash of the newest checkpoint's values, which training wrote down beside them."""
    newest = max(directory.glob("checkpoints/[0-9]*/progress/metadata"), key=_step, default=None)
    return json.loads(newest.read_bytes()).get("params_sha256") if newest else None


def _step(progress: Path) -> int:
    name = progress.parent.parent.name
    return int(name) if name.isdecimal() else -1


def _inputs(base: Path, other: Path) -> list[str]:
    records = [read_record(directory) for directory in (base, other)]
    given = {name: [record.get(name) for record in records] for name in INPUTS}
    return [_difference(name, mine, theirs) for name, (mine, theirs) in given.items() if mine != theirs]


def _difference(name: str, mine: Any, theirs: Any) -> str:
    return f"They were given different inputs: {name} is {mine} and {theirs}."
