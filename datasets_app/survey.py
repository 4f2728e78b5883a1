"""What a build sees while it passes its rows: figures for the manifest, and checks that are recorded with it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from training.canonical import content_sha256, sha256_hex
from training.splits import SPLIT_RULE, SPLITS, normalise

SHOWN = 10  # ids that a check names
SOURCES = 100  # sources counted by name; the others are counted together


@dataclass
class Range:
    """Smallest, mean and largest of the numbers added."""

    count: int = 0
    total: int = 0
    low: int | None = None
    high: int | None = None

    def add(self, number: int) -> None:
        self.count += 1
        self.total += number
        self.low = number if self.low is None else min(self.low, number)
        self.high = number if self.high is None else max(self.high, number)

    def to_dict(self) -> dict[str, Any]:
        mean = round(self.total / self.count, 1) if self.count else None
        return {"min": self.low, "mean": mean, "max": self.high}


@dataclass
class Check:
    """A rule, and the rows that break it."""

    name: str
    count: int = 0
    rows: list[str] = field(default_factory=list)

    def note(self, row_id: str) -> None:
        self.count += 1
        if len(self.rows) < SHOWN:
            self.rows.append(row_id)

    def to_dict(self) -> dict[str, Any]:
        return {
            "check": self.name,
            "result": "found" if self.count else "passed",
            "count": self.count,
            "rows": self.rows,
        }


class Survey:
    """Add every row in order, then read `splits()`, `stats()` and `gates()`."""

    def __init__(self) -> None:
        self.split_counts: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()
        self.ranges = {name: Range() for name in ("steps", "prompt", "step", "final_answer")}
        self.answers: dict[str, str] = {}  # normalised prompt → its first answer, both hashed
        self.conflicting: set[str] = set()
        self.contents: set[str] = set()
        self.empty_steps = Check("no step is empty")
        self.conflicts = Check("no prompt has two answers")
        self.repeats = Check("no row is there twice")

    def add(self, row: dict[str, Any], payload: dict) -> None:
        self.split_counts[row["split"]] += 1
        source = (row["meta"] or {}).get("source")
        self.sources[source if isinstance(source, str) else ""] += 1
        self._measure(row)
        self._check(row, payload)

    def splits(self) -> dict[str, Any]:
        return {split: self.split_counts[split] for split in SPLITS} | {"rule": SPLIT_RULE}

    def stats(self) -> dict[str, Any]:
        named = dict(sorted(self.sources.items(), key=lambda item: (-item[1], item[0]))[:SOURCES])
        others = self.sources.total() - sum(named.values())
        characters = {name: self.ranges[name].to_dict() for name in ("prompt", "step", "final_answer")}
        return {
            "sources": [{"source": name, "rows": count} for name, count in named.items()],
            "rows_of_other_sources": others,
            "steps": self.ranges["steps"].to_dict(),
            "characters": characters,
            "conflicting_prompts": len(self.conflicting),
        }

    def gates(self) -> list[dict[str, Any]]:
        return [check.to_dict() for check in (self.empty_steps, self.conflicts, self.repeats)]

    def _measure(self, row: dict[str, Any]) -> None:
        self.ranges["steps"].add(len(row["steps"]))
        self.ranges["prompt"].add(len(row["prompt"]))
        self.ranges["final_answer"].add(len(row["final_answer"]))
        for step in row["steps"]:
            self.ranges["step"].add(len(step["content"]))

    def _check(self, row: dict[str, Any], payload: dict) -> None:
        if any(not step["content"].strip() for step in row["steps"]):
            self.empty_steps.note(row["id"])
        prompt, answer = sha256_hex(normalise(row["prompt"])), sha256_hex(normalise(row["final_answer"]))
        if self.answers.setdefault(prompt, answer) != answer:
            self.conflicts.note(row["id"])
            self.conflicting.add(prompt)
        content = content_sha256(payload)
        if content in self.contents:
            self.repeats.note(row["id"])
        self.contents.add(content)
