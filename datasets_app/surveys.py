"""What a build sees while its rows pass: the figures that a manifest and a dataset's page show."""

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from datasets_app.gates import Row, Taught
from datasets_app.histograms import histogram
from training.packing import pack
from training.splits import SPLIT_RULE, SPLITS

SOURCES = 100  # sources counted by name; the others are counted together
BINS = 20
PACKED = 50_000  # rows that packing is tried with; the first of more speak for all of them
BATCH = 16  # sequences an update, for the estimate of an epoch


class ContentSurvey:
    """Add all rows in order, some hundred at a time, then read `splits()` and `stats()`. Eight bytes a row."""

    def __init__(self) -> None:
        self._splits: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()
        self._characters, self._steps = array("I"), array("I")  # of each row
        self._ranges = {name: Range() for name in ("steps", "prompt", "step", "final_answer")}

    def add(self, rows: Sequence[Row]) -> None:
        self._splits.update([row["split"] for row in rows])
        self._sources.update([_source(row) for row in rows])
        lengths = {
            "steps": [len(row["steps"]) for row in rows],
            "prompt": [len(row["prompt"]) for row in rows],
            "final_answer": [len(row["final_answer"]) for row in rows],
        }
        of_steps = [[len(step["content"]) for step in row["steps"]] for row in rows]
        parts = zip(lengths["prompt"], map(sum, of_steps), lengths["final_answer"], strict=True)
        self._characters.extend(map(sum, parts))
        self._steps.extend(lengths["steps"])
        for name, numbers in (lengths | {"step": [length for row in of_steps for length in row]}).items():
            self._ranges[name].add(numbers)

    def splits(self) -> dict[str, Any]:
        return {split: self._splits[split] for split in SPLITS} | {"rule": SPLIT_RULE}

    def stats(self) -> dict[str, Any]:
        named = dict(sorted(self._sources.items(), key=lambda item: (-item[1], item[0]))[:SOURCES])
        return {
            "sources": [{"source": name, "rows": count} for name, count in named.items()],
            "rows_of_other_sources": self._sources.total() - sum(named.values()),
            "steps": self._ranges["steps"].to_dict(),
            "characters": {name: self._ranges[name].to_dict() for name in ("prompt", "step", "final_answer")},
            "histograms": {"characters": _bins(self._characters), "steps": _bins(self._steps)},
        }


class TokenSurvey:
    """As ContentSurvey, for the tokens of the rows as they are to be taught. Nine bytes a row."""

    def __init__(self, taught: Taught):
        self._taught = taught
        self._prompts, self._responses = array("I"), array("I")  # tokens of each row
        self._train = bytearray()  # 1 for each row of that split

    def add(self, rows: Sequence[Row]) -> None:
        examples = self._taught.examples(rows)
        self._prompts.extend([example.prompt_length for example in examples])
        self._responses.extend([len(example.tokens) - example.prompt_length for example in examples])
        self._train.extend([row["split"] == "train" for row in rows])

    def stats(self) -> dict[str, Any]:
        """Tokens of prompts (with `<bos>`), of responses and of whole rows; what an epoch over the train rows takes.

        A row fits when all its tokens but the last, which is only ever a target, have a place in a sequence.
        """
        prompts, responses = np.array(self._prompts, np.int64), np.array(self._responses, np.int64)
        rows, limit = prompts + responses, self._taught.max_length
        fits = rows - 1 <= limit
        taught = fits & np.frombuffer(bytes(self._train), bool)
        return {
            "vocab_size": self._taught.tokenizer.vocab_size,
            "max_length": limit,
            "prompt": _spread(prompts),
            "response": _spread(responses),
            "row": _spread(rows),
            "histogram": _bins(rows.tolist()),
            "total": int(rows.sum()),
            "trained": int(responses[taught].sum()),
            "rows_that_fit": int(fits.sum()),
            "epoch": _epoch((rows[taught] - 1).tolist(), limit),
        }


class Range:
    """Smallest, mean and largest of the numbers added."""

    def __init__(self) -> None:
        self._count = self._total = 0
        self._low: int | None = None
        self._high: int | None = None

    def add(self, numbers: Sequence[int]) -> None:
        if numbers:
            self._count += len(numbers)
            self._total += sum(numbers)
            low, high = min(numbers), max(numbers)
            self._low = low if self._low is None else min(self._low, low)
            self._high = high if self._high is None else max(self._high, high)

    def to_dict(self) -> dict[str, Any]:
        return {"min": self._low, "mean": _mean(self._total, self._count), "max": self._high}


def _epoch(lengths: Sequence[int], limit: int) -> dict[str, Any]:
    """Packed sequences and updates of an epoch, and the share of places that hold a row."""
    tried = lengths[:PACKED]
    if not tried:
        return {"rows": 0, "sequences": 0, "fill": None, "batch_size": BATCH, "updates": 0}
    packed = len(pack(tried, limit, range(len(tried))))
    sequences = -(-packed * len(lengths) // len(tried))
    fill = round(sum(tried) / (packed * limit), 4)
    updates = -(-sequences // BATCH)
    return {"rows": len(lengths), "sequences": sequences, "fill": fill, "batch_size": BATCH, "updates": updates}


def _spread(numbers: np.ndarray) -> dict[str, Any]:
    if not len(numbers):
        return Range().to_dict()
    return {"min": int(numbers.min()), "mean": _mean(int(numbers.sum()), len(numbers)), "max": int(numbers.max())}


def _mean(total: int, count: int) -> float | None:
    return round(total / count, 1) if count else None


def _bins(numbers: Sequence[int]) -> list[dict[str, int]]:
    return [part.to_dict() for part in histogram(numbers, BINS)]


def _source(row: Row) -> str:
    source = (row["meta"] or {}).get("source")
    return source if isinstance(source, str) else ""
