"""The answers of an examination under the judges of today: no model is asked again, no answer changes."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.canonical import canonical_json
from training.errors import Fault, Invalid
from training.evalsets import evalset_sha256
from training.files import file_sha256, write_atomic, write_json_atomic, write_lines_atomic
from training.judges import Item, judge_output, judge_versions
from training.result_rows import read_results
from training.results import compare, decide, delta_report, summarise

SUMMARY, REPORT = "eval.json", "delta_report.md"
STAGES = ("before", "after")

Row = dict[str, Any]
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
    found = {path: read_results(path) for path in _row_files(run_dir)}
    due, done = sum(map(len, found.values())), 0
    judged: dict[Path, list[Row]] = {}
    for path, rows in found.items():
        judged[path] = []
        for row in _judged_again(rows, items, recipe):
            judged[path].append(row)
            progress(done := done + 1, due)
    for path, rows in judged.items():
        write_lines_atomic(path, (f"{canonical_json(row)}\n" for row in rows))
        _rewrite_summary_of_a_step(path, rows)
    before, after = (judged[run_dir / f"eval_{stage}.jsonl"] for stage in STAGES)
    title = f"{summary['evalset']}: step {summary['checkpoint_step']} against step 0"
    write_atomic(run_dir / REPORT, delta_report(before, after, title=title, items=items))
    earlier = {name: summarise(before)[name] for name in ("metrics", "intervals")}
    news = {"before": earlier, "comparison": compare(before, after).to_dict()} | decide(before, after, items).to_dict()
    write_json_atomic(run_dir / SUMMARY, summary | _judged_summary(after) | news)  # last: whoever finds it trusts it


def _judged_again(rows: Sequence[Row], items: Sequence[Item], recipe: str) -> Iterator[Row]:
    """The rows with the verdicts of today. What was skipped was never answered, and stays so."""
    by_id = {item["id"]: item for item in items}
    for row in rows:
        if row["id"] not in by_id:
            raise Invalid(Fault(("id",), f"{row['id']} is no item of this evalset", "evalset_changed"))
        verdict = {} if row["correct"] is None else judge_output(by_id[row["id"]], row["output"], recipe)
        yield row | verdict


def _judged_summary(rows: Sequence[Row]) -> dict[str, Any]:
    return summarise(rows) | {"judges": judge_versions()}


def _row_files(run_dir: Path) -> list[Path]:
    steps = [path for path in run_dir.glob("eval_step_*.jsonl") if path.stem.removeprefix("eval_step_").isdecimal()]
    return [*(run_dir / f"eval_{stage}.jsonl" for stage in STAGES), *sorted(steps)]


def _summary(path: Path, items: Sequence[Item]) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(path.read_bytes())
    if summary["evalset_sha256"] != evalset_sha256(items):
        raise Invalid(Fault(("evalset_sha256",), f"{path.name} is about other items", "evalset_changed"))
    return summary


def _rewrite_summary_of_a_step(path: Path, rows: Sequence[Row]) -> None:
    """eval_step_<n>.json beside its rows, which knows them by their hash."""
    beside = path.with_suffix(".json")
    if path.stem.startswith("eval_step_") and beside.exists():
        old: Mapping[str, Any] = json.loads(beside.read_bytes())
        write_json_atomic(beside, {**old, **_judged_summary(rows), "rows_sha256": file_sha256(path)})
