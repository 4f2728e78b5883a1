"""What a run writes while it trains, read while it is being written."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

METRICS, LOG, SAMPLES = "metrics.jsonl", "train.log", "samples.jsonl"
WINDOW_BYTES = 4 * 2**20  # read at once
ESCAPES = {code: None for code in range(32) if chr(code) not in "\t\n"}  # terminal colours begin with one


class Window(NamedTuple):
    """Whole lines of a growing file. `next` is the offset to ask for next, `more` whether it has lines already."""

    lines: list[str]
    next: int
    more: bool
    start: int = 0  # where the first of them begins


def read_lines(path: Path, after: int = 0, window: int = WINDOW_BYTES) -> Window:
    """The whole lines from byte `after` on, without an unterminated last one; a missing file has none.

    An offset that is not the start of a line belongs to a file that was since rewritten: reading starts over.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = after if _begins_a_line(file, after, size) else 0
            file.seek(start)
            data = file.read(window)
            data += file.readline() if not data.endswith(b"\n") else b""  # a line longer than the window is one line
    except FileNotFoundError:
        return Window([], 0, False)
    whole = data[: data.rfind(b"\n") + 1]
    lines = whole.decode(errors="replace").split("\n")[:-1]
    return Window(lines, start + len(whole), start + len(data) < size, start)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Every point of a metrics file, in its order."""
    points, after, more = [], 0, True
    while more:
        lines, after, more, _ = read_lines(path, after)
        points += parse_points(lines)
    return points


def parse_points(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The JSON objects among `lines`."""
    return [point for line in lines if isinstance(point := _parsed(line), dict)]


def tail(path: Path, window: int = 64 * 1024) -> list[str]:
    """The last lines of a log, without the control characters that a terminal would obey."""
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, 2) - window)
            file.seek(start)
            text = file.read(window).decode(errors="replace")
    except FileNotFoundError:
        return []
    lines = text.translate(ESCAPES).split("\n")
    return [line for line in (lines[1:] if start else lines) if line]


def smoothed(values: Iterable[float | None], weight: float) -> list[float | None]:
    """An exponential moving average without a start-up bias; `weight` 0 leaves the values as they are."""
    total = scale = 0.0
    averages: list[float | None] = []
    for value in values:
        if value is None:
            averages.append(None)
            continue
        total = weight * total + (1 - weight) * value
        scale = weight * scale + (1 - weight)
        averages.append(total / scale)
    return averages


def summary(points: list[dict[str, Any]]) -> dict[str, Any]:
    """`final_loss, best_loss, total_steps, total_tokens, avg_tokens_per_second, wall_time_s, peak_memory_bytes` of a
    run's points."""
    train = [point for point in points if point.get("split") == "train" and point.get("loss") is not None]
    if not train:
        return {}
    watched = [point["loss"] for point in points if point.get("split") == "valid" and point.get("loss") is not None]
    last, seconds = train[-1], points[-1]["elapsed_s"]
    return {
        "final_loss": last["loss"],
        "best_loss": min(watched or [point["loss"] for point in train]),
        "total_steps": last["step"],
        "total_tokens": last["tokens"],
        "avg_tokens_per_second": round(last["tokens"] / seconds, 1) if seconds else None,
        "wall_time_s": seconds,
        "peak_memory_bytes": peak_memory(points),
    }


def peak_memory(points: Iterable[dict[str, Any]]) -> int | None:
    """The most bytes that any attempt held; None where none was measured."""
    return max((point.get("peak_memory_bytes") or 0 for point in points), default=0) or None


def _begins_a_line(file, offset: int, size: int) -> bool:
    if offset == 0 or offset > size:
        return False
    file.seek(offset - 1)
    return file.read(1) == b"\n"


def _parsed(line: str) -> object:
    try:
        return json.loads(line, parse_constant=lambda _: None)
    except ValueError:
        return None
