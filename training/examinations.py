"""The files that an examination of a run leaves: whole or absent, and eval.json last.

While it is under way, what is complete lies aside, so that one that was cut off is gone on with.
"""

import json
import shutil
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.canonical import canonical_json
from training.errors import Fault, Invalid
from training.evalsets import evalset_sha256
from training.files import file_sha256, write_atomic, write_json_atomic, write_lines_atomic
from training.judges import judge_output, judge_versions
from training.results import compare, decide, delta_report, read_results, summarise
from training.timelapse import Exam

ASIDE, ASKED = ".examination", "asked.json"
MANIFEST = "MANIFEST.json"  # of a checkpoint: its checksums

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Examined:
    """The results of one checkpoint: the file of its rows, and what eval.json says of one examination."""

    summary: dict[str, Any]
    path: Path

    @property
    def step(self) -> int:
        return self.summary["checkpoint_step"]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return read_results(self.path)

    @property
    def exam(self) -> Exam:
        """What the choice among checkpoints needs of it."""
        right = frozenset(row["id"] for row in self.rows if row["correct"])
        return Exam(self.step, right, self.summary["n_scored"], self.summary["metrics"]["loss"])


class Aside:
    """What an examination has so far.

    `asked` is all that its results follow from beside the checkpoints: those of anything else are dropped.
    """

    def __init__(self, run_dir: Path, asked: Mapping[str, Any]):
        self._directory = run_dir / ASIDE
        if _read_json(self._directory / ASKED) != asked:
            self.clear()
            write_json_atomic(self._directory / ASKED, asked)

    def find(self, checkpoint: Path) -> Examined | None:
        """The results of exactly this checkpoint, if they are complete."""
        found = read_examined(self._directory, int(checkpoint.name))
        return found if found and found.summary["checkpoint_sha256"] == file_sha256(checkpoint / MANIFEST) else None

    def keep(self, checkpoint: Path, summary: Mapping[str, Any], rows: Sequence[Row]) -> Examined:
        sha256 = file_sha256(checkpoint / MANIFEST)
        return write_examined(self._directory, {**summary, "checkpoint_sha256": sha256}, rows)

    def clear(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    write_lines_atomic(path, (f"{canonical_json(row)}\n" for row in rows))


def write_examined(directory: Path, summary: Mapping[str, Any], rows: Sequence[Row]) -> Examined:
    """eval_step_<n>.jsonl and, once that is whole, eval_step_<n>.json, which knows it by its hash."""
    path = _rows_path(directory, summary["checkpoint_step"])
    write_rows(path, rows)
    examined = Examined({**summary, "rows_sha256": file_sha256(path)}, path)
    write_json_atomic(path.with_suffix(".json"), examined.summary)
    return examined


def read_examined(directory: Path, step: int) -> Examined | None:
    """What was written of a step; None when that is not there or not whole."""
    path = _rows_path(directory, step)
    summary = _read_json(path.with_suffix(".json"))
    with suppress(OSError):
        if isinstance(summary, dict) and summary.get("rows_sha256") == file_sha256(path):
            return Examined(summary, path)
    return None


def earlier_results(run_dir: Path, items: Sequence[Row], *, recipe: str, but: Container[int]) -> list[Examined]:
    """What was answered before to these items at steps `but` those, judged by the judges of today."""
    names = (path.stem.removeprefix("eval_step_") for path in run_dir.glob("eval_step_*.json"))
    steps = [int(name) for name in names if name.isdecimal() and int(name) not in but]
    found, sha256 = [read_examined(run_dir, step) for step in steps], evalset_sha256(items)
    same = [examined for examined in found if examined and examined.summary["evalset_sha256"] == sha256]
    return [_by_todays_judges(examined, items, recipe) for examined in same]


def publish(run_dir: Path, before: Examined, after: Examined, items: Sequence[Row], more: Mapping[str, Any]) -> None:
    """eval_before.jsonl, eval_after.jsonl, delta_report.md and eval.json, with what it says `more`."""
    stages = before.rows, after.rows
    for name, examined in (("before", before), ("after", after)):
        write_atomic(run_dir / f"eval_{name}.jsonl", examined.path.read_bytes())
    title = f"{after.summary['evalset']}: step {after.step} against step {before.step}"
    write_atomic(run_dir / "delta_report.md", delta_report(*stages, title=title, items=items))
    earlier = {name: before.summary[name] for name in ("metrics", "intervals")}
    change = {"comparison": compare(*stages).to_dict()} | decide(*stages, items).to_dict()
    # Last, because whoever finds eval.json may trust the others.
    write_json_atomic(run_dir / "eval.json", {**after.summary, "before": earlier, **change, **more})


def judged_again(rows: Iterable[Row], items: Sequence[Row], recipe: str) -> Iterator[dict[str, Any]]:
    """The rows with the verdicts of today. What was skipped was never answered, and stays so.

    Raises Invalid for an answer to something that is not among the items.
    """
    by_id = {item["id"]: item for item in items}
    for row in rows:
        if row["id"] not in by_id:
            raise Invalid(Fault(("id",), f"{row['id']} is no item of this evalset", "evalset_changed"))
        yield {**row, **({} if row["correct"] is None else judge_output(by_id[row["id"]], row["output"], recipe))}


def judged_summary(rows: Sequence[Row]) -> dict[str, Any]:
    """What a summary says of rows that the judges of today have judged."""
    return summarise(rows) | {"judges": judge_versions()}


def _by_todays_judges(examined: Examined, items: Sequence[Row], recipe: str) -> Examined:
    if examined.summary["judges"] == judge_versions():
        return examined
    rows = list(judged_again(examined.rows, items, recipe))
    return write_examined(examined.path.parent, examined.summary | judged_summary(rows), rows)


def _rows_path(directory: Path, step: int) -> Path:
    return directory / f"eval_step_{step}.jsonl"


def _read_json(path: Path) -> Any:
    """What a file holds; None when it is not there or torn."""
    with suppress(OSError, ValueError):
        return json.loads(path.read_bytes())
    return None
