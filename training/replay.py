"""Whether two runs came out the same, bit for bit: `python -m training.replay BASE_DIR OTHER_DIR [--json]`.

If not, where they part (the rows, the tokens, the first parameters, the first loss, the last parameters: one leads to
the next) and which inputs may be why. Exit 0: the same. 1: a directory holds no run. 2: wrong use. 3: they differ.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from training.errors import Invalid
from training.inputs import Difference, differing_inputs
from training.journal import METRICS
from training.record import CHECKPOINTS, read_record
from training.stopping import TIME

FIGURES = ("step", "split", "loss", "grad_norm", "learning_rate", "tokens")  # the others measure the machine
SAME = "The same, bit for bit: every loss and every parameter."
REFUSED, DIFFERENT = 1, 3


@dataclass(frozen=True)
class Stage:
    """One of the things compared. `same` is None where it cannot be told, and then `detail` may say why."""

    name: str
    same: bool | None
    detail: str = ""


@dataclass(frozen=True)
class Comparison:
    """How two runs compare: stage by stage, and the inputs that differ."""

    stages: tuple[Stage, ...]
    inputs: tuple[Difference, ...]  # causes first
    first_step: int | None  # of the first logged line that differs

    @property
    def same(self) -> bool:
        """Whether the same run came out the same; what computed it may have been another machine."""
        parted = self.stages[-1].same is not True or any(stage.same is False for stage in self.stages)
        return not parted and not any(difference.defines for difference in self.inputs)

    @property
    def headline(self) -> str:
        """The answer: where they part first, and the first input that differs."""
        if self.same:
            return SAME + (f" Even so an input differs: {self.inputs[0]}." if self.inputs else "")
        parted = [stage for stage in self.stages if stage.same is False]
        where = next((stage for stage in parted if stage.name == "losses"), next(iter(parted), self.stages[-1]))
        return f"{where.detail or 'All that came out is the same.'} {self._cause}"

    @property
    def sentences(self) -> list[str]:
        """Everything that differs, or could not be compared."""
        told = [stage.detail for stage in self.stages if stage.detail]
        return [*told, *(f"An input that differs: {difference}." for difference in self.inputs)]

    def to_dict(self) -> dict[str, Any]:
        return {
            "same": self.same,
            "headline": self.headline,
            "first_step": self.first_step,
            "stages": [vars(stage) for stage in self.stages],
            "inputs": [difference.to_dict() for difference in self.inputs],
            "sentences": self.sentences,
        }

    @property
    def _cause(self) -> str:
        return f"The first input that differs: {self.inputs[0]}." if self.inputs else "No input on record differs."


class _End(NamedTuple):
    """Where a run stood in its newest checkpoint."""

    step: int
    progress: dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.replay", description="Compares two runs bit for bit.")
    parser.add_argument("base", type=Path, metavar="BASE_DIR", help="a run's directory")
    parser.add_argument("other", type=Path, metavar="OTHER_DIR", help="that of the run which should be the same")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print the result as one JSON object")
    options = parser.parse_args(argv)
    try:
        found = compare(options.base, options.other)
    except Invalid as invalid:
        print("\n".join(map(str, invalid.faults)), file=sys.stderr)
        return REFUSED
    lines = [json.dumps(found.to_dict(), ensure_ascii=False)] if options.as_json else [found.headline, *found.sentences]
    print("\n".join(lines))
    return 0 if found.same else DIFFERENT


def compare(base: Path, other: Path) -> Comparison:
    """Holds two run directories against each other.

    Of runs that the clock ended after different steps, what both did is compared. Raises Invalid for a directory
    without a run.
    """
    records = [read_record(directory) for directory in (base, other)]
    mine, theirs = (_end(directory) for directory in (base, other))
    clock = mine.step != theirs.step and TIME in (mine.progress.get("ended"), theirs.progress.get("ended"))
    losses, step = _losses(base, other, before=min(mine.step, theirs.step) if clock else None)
    stages = (
        _hashes("dataset", "The bytes of the dataset differ", *(record.get("dataset_sha256") for record in records)),
        _hashes("tokens", "The tokens that were taught differ", *(record.get("tokens_sha256") for record in records)),
        _hashes("initial parameters", "The initial parameters differ", _parameters(base, 0), _parameters(other, 0)),
        losses,
        _by_the_clock(mine, theirs, losses) if clock else _final(mine, theirs),
    )
    return Comparison(stages, differing_inputs(base, other), step)


def _hashes(name: str, differ: str, mine: str | None, theirs: str | None) -> Stage:
    """Two hashes; an older program did not write all of them down."""
    if mine is None or theirs is None:
        return Stage(name, None)
    return Stage(name, True) if mine == theirs else Stage(name, False, f"{differ}: {mine[:12]} and {theirs[:12]}.")


def _losses(base: Path, other: Path, *, before: int | None) -> tuple[Stage, int | None]:
    """The logged lines, and the step of the first that differs. A run that the clock ends logs more of its last."""
    for mine, theirs in zip_longest(_lines(base, before), _lines(other, before)):
        if mine is None or theirs is None:
            step = (mine or theirs)["step"]
            return Stage("losses", False, f"One has more losses than the other, from step {step} on."), step
        for figure in FIGURES:
            if mine.get(figure) != theirs.get(figure):
                values = f"{figure} is {mine.get(figure)} and {theirs.get(figure)}"
                where = f"at step {mine['step']} ({mine['split']})"
                return Stage("losses", False, f"The first difference is {where}: {values}."), mine["step"]
    return Stage("losses", True), None


def _lines(directory: Path, before: int | None) -> Iterator[dict[str, Any]]:
    with suppress(FileNotFoundError), (directory / METRICS).open("rb") as file:
        yield from (line for line in map(json.loads, file) if before is None or line["step"] < before)


def _by_the_clock(mine: _End, theirs: _End, losses: Stage) -> Stage:
    clock = f"The clock (training.max_seconds) decided where they end: after step {mine.step} and {theirs.step}."
    return Stage("final parameters", None, clock + (" What both did is the same." if losses.same else ""))


def _final(mine: _End, theirs: _End) -> Stage:
    """The hashes of the values, which training wrote down beside them."""
    name, hashes = "final parameters", [end.progress.get("params_sha256") for end in (mine, theirs)]
    if None in hashes:
        return Stage(name, None, "The final parameters cannot be compared: a last checkpoint without their hash.")
    return _hashes(name, "The final parameters differ", *hashes)


def _parameters(directory: Path, step: int) -> str | None:
    progress = directory / CHECKPOINTS / str(step) / "progress" / "metadata"
    return json.loads(progress.read_bytes()).get("params_sha256") if progress.exists() else None


def _end(directory: Path) -> _End:
    newest = max(directory.glob(f"{CHECKPOINTS}/[0-9]*/progress/metadata"), key=_step, default=None)
    return _End(_step(newest), json.loads(newest.read_bytes())) if newest else _End(-1, {})


def _step(progress: Path) -> int:
    name = progress.parent.parent.name
    return int(name) if name.isdecimal() else -1


if __name__ == "__main__":
    sys.exit(main())
