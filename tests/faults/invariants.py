"""What is true of every run that ended, whatever happened to it on the way."""

import json
from pathlib import Path
from typing import Any

from tests.faults import dry

FINAL = {"completed", "training_failed", "evaluation_failed", "cancelled"}


def violations(seen: dict[str, Any], home: Path) -> list[str]:
    """What `looking.look` showed of a run and its files that must not be; none when all is well."""
    found = [*_history(seen), *_curve(seen), *_lives(seen, home)]
    if owned := [job for job in seen["jobs"] if job["owner"] or job["status"] in ("queued", "running")]:
        found.append(f"work is left: {owned}")
    if seen["status"] == "completed":
        done = [job["kind"] for job in seen["jobs"] if job["status"] == "done"]
        if sorted(done) != ["evaluate_run", "train_run"]:
            found.append(f"not trained once and examined once: {done}")
        if seen["examinations"] != ["after", "before"]:
            found.append(f"current examinations: {seen['examinations']}")
    return found


def living(text: str) -> list[int]:
    """Processes with `text` among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def _history(seen: dict[str, Any]) -> list[str]:
    found, now = [], ""
    moves = [(origin, to) for origin, to, _ in seen["events"] if origin != to]
    for origin, to in moves:
        if origin != now or (origin and [origin, to] not in seen["transitions"]):
            found.append(f"moved from {origin or 'nothing'} to {to} while {now or 'nothing'}")
        now = to
    finals = [to for _, to in moves if to in FINAL]
    if finals != [seen["status"]]:
        found.append(f"ended as {finals} and is {seen['status']}")
    return found


def _curve(seen: dict[str, Any]) -> list[str]:
    file = Path(seen["directory"]) / "metrics.jsonl"
    if not file.exists():
        return ["completed without metrics"] if seen["status"] == "completed" else []
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    expected = dry.losses(seen["seed"], seen["rows_sha256"], seen["steps"])
    found = []
    if [line["step"] for line in lines] != list(range(1, len(lines) + 1)):
        found.append(f"updates are not 1 to {len(lines)}: {[line['step'] for line in lines]}")
    if [line["loss"] for line in lines] != expected[: len(lines)]:
        found.append("the curve is not that of a run that nothing happened to")
    if seen["status"] == "completed" and (len(lines), seen["metrics"].get("final_loss")) != (
        len(expected),
        expected[-1],
    ):
        found.append(f"{len(lines)} updates of {len(expected)}, final loss {seen['metrics'].get('final_loss')}")
    return found


def _lives(seen: dict[str, Any], home: Path) -> list[str]:
    run_id = Path(seen["directory"]).name
    lives = home / "dry" / f"{run_id}.lives"
    lines = lives.read_text().splitlines() if lives.exists() else []
    found = [f"two were alive at once: {line}" for line in lines if line.startswith("two")]
    if len([line for line in lines if line.startswith("start train")]) > seen["attempt"]:
        found.append(f"more trainers than attempts ({seen['attempt']}): {lines}")
    if alive := living(seen["directory"]):
        found.append(f"still alive: {alive}")
    return found
