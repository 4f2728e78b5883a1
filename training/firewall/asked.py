"""What goes into the firewall and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# From the strongest to the weakest, what a row can have of an item.
KINDS = {
    "verbatim": "the same prompt to the letter",
    "normalised": "the same prompt but for case, spacing, punctuation or spelling of Unicode",
    "reordered": "the words of the prompt in another order",
    "near": "nearly the same prompt with the same numbers",
    "answer": "the answer, under another prompt",
    "steps": "the worked steps, under another prompt",
    "overlap": "a long part of the prompt",
    "problem": "the same generated problem in other words",
}


@dataclass(frozen=True)
class Asked:
    """Something that a model will be asked: an item of an evalset or golden set, or a held-out row.

    `problem` is the name of the generator, where there is one; a name that is none does no harm.
    """

    source: str
    id: str
    prompt: str
    answer: str
    steps: tuple[str, ...] = ()
    problem: Any = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any], source: str) -> "Asked":
        """A row of a dataset, or a trace that has an id."""
        steps = tuple(step["content"] for step in row["steps"])
        problem = (row.get("meta") or {}).get("problem")
        return cls(source, str(row["id"]), row["prompt"], row["final_answer"], steps, problem)

    @classmethod
    def from_item(cls, item: Mapping[str, Any], source: str) -> "Asked":
        """An item of an evalset."""
        steps = tuple(step["content"] for step in item.get("steps", ()))
        return cls(source, item["id"], item["prompt"], item["expected_answer"], steps, item["category"])


@dataclass(frozen=True)
class Leak:
    """A row that gives an item away; `why` is a sentence for people, `similarity` a share from 0 to 1."""

    row: str
    source: str
    item: str
    kind: str
    why: str
    similarity: float
