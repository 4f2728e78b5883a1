"""Which answers a page, the API or a command shows: of one examination, each beside another's to the same item."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Count, QuerySet

from runs.models import Evaluation, Prediction, Run
from runs.timelapse import stage_of
from training.errors import Fault, Invalid, echo
from training.json_rules import text_faults

OUTCOMES = {  # how an item was judged in the base and in the other
    "won": (False, True),
    "lost": (True, False),
    "kept_right": (True, True),
    "kept_wrong": (False, False),
}
SKIPPED = "skipped"  # in one of the two, or in both
CORRECT = {"true": True, "false": False}
LABELS = ("category", "difficulty", "section")  # of an item
FACETS = ("outcome", "correct", *LABELS)
LOOKING = {"judged", "q"}  # filters that look into a row: what passes them cannot be told from counts
FILTERS = {*FACETS, *LOOKING}
ALWAYS = {"outcome": [*OUTCOMES, SKIPPED], "correct": list(CORRECT)}  # offered whether or not there are any
MAX_SEARCH = 200  # characters
MAX_CHOICES = 200  # that a filter offers, the most frequent ones

Query = Mapping[str, str]


@dataclass(frozen=True)
class Choice:
    """A value of a filter, and how many answers pass with it and all the other filters."""

    value: str
    count: int


class Cell(NamedTuple):
    """What answers have in common that are counted together."""

    outcome: str
    correct: str
    category: str
    difficulty: str
    section: str


Cells = Counter[Cell]


class Neighbours(NamedTuple):
    """The items before and after one among those that pass; None at the ends."""

    previous: int | None
    next: int | None


@dataclass(frozen=True)
class Answers:
    """The answers of `shown`, each beside that of `beside` to the same item, where there is one.

    Won and lost are told from the base to the other: `shown` is the other, unless `shown_first`.
    """

    shown: Evaluation
    beside: Evaluation | None
    shown_first: bool = False

    def rows(self, query: Query) -> QuerySet[Prediction]:
        """Those that pass the filters, in the evalset's order; empty values ask nothing. Raises Invalid."""
        rows = self._searched(query)
        if outcome := query.get("outcome"):
            rows = self._with_outcome(rows, outcome)
        if correct := query.get("correct"):
            rows = rows.filter(correct=CORRECT[correct])
        labels = {f"item__{name}": query[name] for name in LABELS if query.get(name)}
        return rows.filter(**labels).select_related("item")

    def cells(self, query: Query) -> Cells:
        """How many answers have what in common, of those in which the filters that look into a row find something.

        Raises Invalid.
        """
        places = (*(f"item__{name}" for name in LABELS), "beside_correct", "correct")
        found = self._searched(query).order_by().values_list(*places).annotate(count=Count("pk"))
        cells: Cells = Counter()
        for *labels, beside, correct, count in found:
            judged = "" if correct is None else str(correct).lower()
            cells[Cell(self.outcome(beside, correct), judged, *labels)] += count
        return cells

    def neighbours(self, query: Query, position: int) -> Neighbours:
        """The items on both sides of the one at a position, among those that pass. Raises Invalid."""
        rows = self.rows(query).values_list("item", flat=True)
        before, after = rows.filter(item__position__lt=position), rows.filter(item__position__gt=position)
        return Neighbours(before.order_by("-item__position").first(), after.order_by("item__position").first())

    def outcome(self, beside: bool | None, correct: bool | None) -> str:
        """What became of an item from the base to the other."""
        return outcome_of(correct, beside) if self.shown_first else outcome_of(beside, correct)

    @property
    def judges(self) -> list[str]:
        """Who judged: as the examination says, else as one of its rows does."""
        if self.shown.judges:
            return sorted(self.shown.judges)
        judged = self.shown.predictions.exclude(judges={}).order_by("pk").values_list("judges", flat=True).first()
        return sorted(judged or {})

    def _searched(self, query: Query) -> QuerySet[Prediction]:
        """Those that pass the filters which look into a row. Raises Invalid when any filter's value cannot be."""
        _check(query, self.judges if query.get("judged") else [])
        rows = self.shown.predictions.beside(self.beside)
        if text := query.get("q", "").strip():
            rows = rows.saying(text)
        if judged := query.get("judged"):
            judge, _, verdict = judged.rpartition(":")
            rows = rows.judged_by(judge, passed=verdict == "passed")
        return rows

    def _with_outcome(self, rows: QuerySet[Prediction], outcome: str) -> QuerySet[Prediction]:
        if outcome == SKIPPED:
            return rows.exclude(correct__isnull=False, beside_correct__isnull=False)
        base, other = OUTCOMES[outcome]
        shown, beside = (base, other) if self.shown_first else (other, base)
        return rows.filter(correct=shown, beside_correct=beside)


def outcome_of(base: bool | None, other: bool | None) -> str:
    """What became of an item that was judged so in the base and in the other."""
    return next((name for name, pair in OUTCOMES.items() if pair == (base, other)), SKIPPED)


def stages_of(run: Run) -> dict[str, Evaluation]:
    """A run's present examinations in their order, by the names `before`, a checkpoint's step, `after`."""
    order = {Evaluation.Stage.BEFORE: 0, Evaluation.Stage.STEP: 1, Evaluation.Stage.AFTER: 2}
    found = sorted(
        run.evaluations.current(), key=lambda each: (order[Evaluation.Stage(each.stage)], each.checkpoint_step)
    )
    return {stage_of(each): each for each in found}


def stage_title(name: str) -> str:
    return f"{name} training" if name in ("before", "after") else f"at step {name}"


def answers_of(stages: Mapping[str, Evaluation], stage: str) -> Answers | None:
    """What a run answered then, before beside after, all else beside before; None where it was not examined."""
    if stage not in stages:
        return None
    first = stage == Evaluation.Stage.BEFORE
    return Answers(stages[stage], stages.get("after" if first else "before"), shown_first=first)


def facets(cells: Cells, query: Query) -> dict[str, list[Choice]]:
    """What each filter offers, counted over what passes all the others."""
    return {name: _choices(name, cells, query) for name in FACETS}


def _choices(name: str, cells: Cells, query: Query) -> list[Choice]:
    """The values of one filter, the most frequent first, and always the chosen one."""
    others = {other: query[other] for other in FACETS if other != name and query.get(other)}
    counts: Counter[str] = Counter()
    for cell, count in cells.items():
        if all(getattr(cell, other) == value for other, value in others.items()):
            counts[getattr(cell, name)] += count
    if name in ALWAYS:
        return [Choice(value, counts[value]) for value in ALWAYS[name]]
    counts[query.get(name, "")] += 0
    return [Choice(value, count) for value, count in counts.most_common(MAX_CHOICES) if value]


def outcome_counts(cells: Cells, query: Query) -> dict[str, int]:
    """How many answers became what, of those that pass all filters but this one."""
    return {choice.value: choice.count for choice in _choices("outcome", cells, query)}


def _check(query: Query, judges: list[str]) -> None:
    allowed = ALWAYS | {"judged": [f"{name}:{verdict}" for name in judges for verdict in ("failed", "passed")]}
    faults = [fault for name in sorted(FILTERS) for fault in text_faults(query.get(name, ""), (name,))]
    for name, values in allowed.items():
        if query.get(name) and query[name] not in values:
            msg = f"must be one of {', '.join(values) or 'none'}, not {echo(query[name])}"
            faults.append(Fault((name,), msg, "wrong_value"))
    if len(query.get("q", "")) > MAX_SEARCH:
        faults.append(Fault(("q",), f"is longer than {MAX_SEARCH} characters", "too_long"))
    if faults:
        raise Invalid(faults)
