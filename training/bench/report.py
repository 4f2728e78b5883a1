"""Rows for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.bench.turns import Row

HEADS = ("work", "beside", "ours", "theirs", "ratio", "unit", "bar", "same function, or why there is no ratio")


def table(rows: Sequence[Row], place: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """The rows, under lines that name machine and versions."""
    cells = [HEADS] + [
        (
            row.work,
            row.peer,
            _number(row.ours),
            _number(row.theirs),
            _number(row.ratio),
            row.unit,
            row.bar,
            row.same or row.reason or "",
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    named = ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
    where = f"{place['cpu']}, {place['cores']} cores, load {place['load']} before"
    title = f"{where}; medians of {place['rounds']} rounds in turn"
    return "\n".join([title, named, *lines])


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
