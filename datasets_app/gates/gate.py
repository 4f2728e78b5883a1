"""What a gate is: one rule that the rows of a dataset keep, and what became of it at the freeze."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from training.tokenizer import Tokenizer

WARN, REFUSE = "warn", "refuse"
ACTIONS = (WARN, REFUSE)
NAMED = 10  # ids that a result names
KEPT = 200  # findings that a result keeps with their reasons; the others are counted

Row = Mapping[str, Any]  # as in `dataset.jsonl`: id, split, prompt, steps, final_answer, meta


@dataclass(frozen=True)
class Taught:
    """How the rows are to be taught, as far as gates need to know."""

    recipe: str
    instruction: str
    max_length: int  # tokens a sequence
    tokenizer: Tokenizer


@dataclass(frozen=True)
class Finding:
    """A row that breaks a rule: `why` is a sentence for people, `details` are for programs (JSON)."""

    row: str
    why: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {"row": self.row, "why": self.why, **self.details}


class Gate:
    """One rule. A subclass says its `name`, its `rule` and what it finds in a chunk of rows; it may remember rows.

    A gate passes every row of a dataset once, in order, some hundred at a time, so it may hold a few bytes a row.
    """

    name: ClassVar[str]  # stays for ever: settings, requests and manifests say it
    rule: ClassVar[str]  # what every row keeps, as a statement
    action: ClassVar[str] = WARN  # unless a setting or the request says otherwise

    def __init__(self, taught: Taught):
        self.taught = taught
        self.checked = self.count = 0
        self.findings: list[Finding] = []

    def find(self, rows: Sequence[Row]) -> Iterable[Finding]:
        """The rows of this chunk that break the rule."""
        raise NotImplementedError

    def look(self, rows: Sequence[Row]) -> None:
        """Passes a chunk of rows through the gate."""
        self.checked += len(rows)
        for finding in self.find(rows):
            self.count += 1
            if len(self.findings) < KEPT:
                self.findings.append(finding)

    def result(self, action: str) -> dict[str, Any]:
        """What the manifest records."""
        return {
            "gate": self.name,
            "check": self.rule,
            "action": action,
            "result": "found" if self.count else "passed",
            "checked": self.checked,
            "count": self.count,
            "rows": [finding.row for finding in self.findings[:NAMED]],
            "findings": [finding.to_dict() for finding in self.findings],
        }
