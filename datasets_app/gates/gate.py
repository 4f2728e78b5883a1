"""What a gate is: one rule that the rows of a dataset keep, and what became of it at the freeze."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

from datasets_app.gates.texts import Row, Texts
from training.packing import Example, encode_example
from training.tokenizer import Tokenizer

WARN, REFUSE = "warn", "refuse"
ACTIONS = (WARN, REFUSE)
NAMED = 10  # ids that a result names
KEPT = 200  # findings that a result keeps with their reasons; the others are counted

T = TypeVar("T")


class Shared(Generic[T]):
    """What several gates want to know of a chunk of rows, worked out once: they all look at it one after the other."""

    def __init__(self, work: Callable[[Sequence[Row]], T]):
        self._work = work
        self._last: tuple[Sequence[Row], T] | None = None

    def __call__(self, rows: Sequence[Row]) -> T:
        if self._last is None or self._last[0] is not rows:
            self._last = rows, self._work(rows)
        return self._last[1]


@dataclass(frozen=True)
class Taught:
    """How the rows are to be taught, as far as gates need to know. Gates and surveys of one build share one."""

    recipe: str
    instruction: str
    max_length: int  # tokens a sequence
    tokenizer: Tokenizer

    @cached_property
    def examples(self) -> Shared[list[Example]]:
        """The rows of a chunk in tokens, as training makes them."""
        return Shared(lambda rows: [self._example(row) for row in rows])

    def _example(self, row: Row) -> Example:
        return encode_example(self.tokenizer, row, recipe=self.recipe, instruction=self.instruction)

    @cached_property
    def texts(self) -> Shared[Texts]:
        """What is written in the rows of a chunk."""
        return Shared(Texts)


@dataclass(frozen=True)
class Finding:
    """A row that breaks a rule: `why` is a sentence for people, `details` are for programs (JSON)."""

    row: str
    why: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {"row": self.row, "why": self.why, **self.details}


class Findings:
    """All are counted, the first ones kept."""

    def __init__(self) -> None:
        self.count = 0
        self.kept: list[Finding] = []

    def add(self, found: Iterable[Finding]) -> None:
        for finding in found:
            self.count += 1
            if len(self.kept) < KEPT:
                self.kept.append(finding)


class Gate:
    """One rule. A subclass says its `name`, its `rule` and what it finds in a chunk of rows; it may remember rows.

    A gate passes every row of a dataset once, in order, some hundred at a time, so it may hold a few bytes a row.
    """

    name: ClassVar[str]  # stays for ever: settings, requests and manifests say it
    rule: ClassVar[str]  # what every row keeps, as a statement
    action: ClassVar[str] = WARN  # unless a setting or the request says otherwise

    def __init__(self, taught: Taught):
        self.taught = taught
        self.checked = 0
        self.findings = Findings()

    def find(self, rows: Sequence[Row]) -> Iterable[Finding]:
        """The rows of this chunk that break the rule."""
        raise NotImplementedError

    def look(self, rows: Sequence[Row]) -> None:
        """Passes a chunk of rows through the gate."""
        self.checked += len(rows)
        self.findings.add(self.find(rows))

    def found(self) -> Findings:
        """What was found once every row has passed."""
        return self.findings

    def stats(self) -> dict[str, Any]:
        """Figures for the dataset's page that only this gate knows."""
        return {}

    def result(self, action: str) -> dict[str, Any]:
        """What the manifest records."""
        found = self.found()
        return record(self.name, self.rule, action, checked=self.checked, count=found.count, findings=found.kept)


def record(
    name: str, rule: str, action: str, *, checked: int, count: int, findings: Sequence[Finding]
) -> dict[str, Any]:
    """What a manifest keeps of a rule: how many rows were looked at, how many break it, and the findings kept."""
    rows = dict.fromkeys(finding.row for finding in findings)  # each once
    return {
        "gate": name,
        "check": rule,
        "action": action,
        "result": "found" if count else "passed",
        "checked": checked,
        "count": count,
        "rows": list(rows)[:NAMED],
        "findings": [finding.to_dict() for finding in findings],
    }
