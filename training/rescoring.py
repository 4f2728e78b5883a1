"""The answers of an examination under the judges of today: no model is asked again, no answer changes."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from training import timelapse
from training.errors import Fault, Invalid
from training.evalsets import evalset_sha256
from training.examinations import (
    Examined,
    judged_again,
    judged_summary,
    publish,
    write_examined,
    write_rows,
)
from training.judges import Item
from training.result_rows import read_results

SUMMARY = "eval.json"
BEFORE, AFTER, AT_STEPS = "eval_before.jsonl", "eval_after.jsonl", "eval_step_[0-9]*.jsonl"

Progress = Callable[[int, int], None]  # called with the rows done and the rows due


def rescore_files(
    run_dir: Path, items: Sequence[Item], *, recipe: str, progress: Progress = lambda done, due: None
) -> None:
    """Judges every answer in a run's directory again: eval_before.jsonl, eval_after.jsonl and each eval_step_<n>.jsonl,
    with eval.json and delta_report.md. Cut off and called again, it leaves what one call would have left.

    `items` are those that were asked, `recipe` the one that the model was taught by. Raises Invalid when the directory
    holds no whole examination of exactly these items.
    """
    summary = _summary(run_dir / SUMMARY, items)
    steps = list(_steps(run_dir, summary["evalset_sha256"]))
    paths = (run_dir / BEFORE, run_dir / AFTER, *(step.path for step in steps))
    due, done = sum(len(read_results(path)) for path in paths), 0

    def judged(path: Path) -> list[dict[str, Any]]:
        """The rows of one file: those of all checkpoints may be more than memory holds."""
        nonlocal done
        rows = []
        for row in judged_again(read_results(path), items, recipe):
            rows.append(row)
            progress(done := done + 1, due)
        return rows

    now = [_examined(run_dir, step, judged(step.path)) for step in steps]
    before, after = (
        _rewritten(run_dir / name, {**summary, "checkpoint_step": step}, judged(run_dir / name))
        for name, step in ((BEFORE, 0), (AFTER, summary["checkpoint_step"]))
    )
    exams = sorted((each.exam for each in now), key=lambda exam: exam.step)
    publish(run_dir, before, after, items, timelapse.summary(exams) if "timelapse" in summary else {})


def _examined(run_dir: Path, step: Examined, rows: list[dict[str, Any]]) -> Examined:
    return write_examined(run_dir, step.summary | judged_summary(rows), rows)


def _rewritten(path: Path, summary: dict[str, Any], rows: list[dict[str, Any]]) -> Examined:
    write_rows(path, rows)
    return Examined(summary | judged_summary(rows), path)


def _steps(run_dir: Path, evalset: str) -> Iterator[Examined]:
    """What was examined at checkpoints on these items, also where a call was cut off between the rows and the summary
    of one. A checkpoint that somebody examined on others stays as it is.
    """
    for path in sorted(run_dir.glob(AT_STEPS)):
        if path.with_suffix(".json").exists():
            summary = json.loads(path.with_suffix(".json").read_bytes())
            if summary["evalset_sha256"] == evalset:
                yield Examined(summary, path)


def _summary(path: Path, items: Sequence[Item]) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(path.read_bytes())
    if summary["evalset_sha256"] != evalset_sha256(items):
        raise Invalid(Fault(("evalset_sha256",), f"{path.name} is about other items", "evalset_changed"))
    return summary
