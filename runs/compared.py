"""What the pages of two runs beside each other draw."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from datasets_app.models import EvalItem
from runs import panels, services
from runs.answers import FILTERS, LOOKING, SKIPPED, Answers, Cells, Choice, facets, stage_title
from runs.deciding import drawn
from runs.models import Run
from training.errors import Invalid
from training.inputs import Difference, differing_inputs
from tunixrt.lib.errors import Refused
from tunixrt.lib.windows import window

Query = Mapping[str, str]

OF_THE_CONFIG = ("config", "engine", "seed")  # inputs that the difference of two configs tells of
SELECTS = {"category": "Category", "difficulty": "Difficulty", "section": "Section"}
OUTCOME_WORDS = {"won": "Won", "lost": "Lost", "kept_right": "Right in both", "kept_wrong": "Wrong in both"}
OUTCOME_WORDS |= {SKIPPED: "Skipped"}


def comparison(base: Run, other: Run, query: Query) -> dict[str, Any]:
    """What the page of two runs shows; without results, the reason and what can be compared all the same."""
    shown: dict[str, Any] = {
        "curve": panels.curve([base, other], query),
        "config": services.config_difference(base, other),
        "inputs": _beside_the_config(base, other),
    }
    try:
        found = services.compare_runs(base=base, other=other)
    except Refused as refused:
        return shown | {"refusal": refused.detail}
    links = f"?{urlencode({'base': base.pk, 'other': other.pk})}&"
    shown |= {"comparison": found, "links": links, **items(found.answers, query, found.cells)}
    try:
        return shown | drawn(found.decided)
    except Refused as refused:
        return shown | {"undecided": refused.detail}


def items(answers: Answers, query: Query, cells: Cells | None = None) -> dict[str, Any]:
    """A window of the answers that pass the filters, and the filters with their counts; `cells` of all, if known.

    A page forgives what the API refuses: a wrong filter is said, and all are shown.
    """
    asked, faults = asked_of(query), []
    try:
        rows = answers.rows(asked)
    except Invalid as invalid:
        asked, faults = {}, invalid.faults
        rows = answers.rows(asked)
    if cells is None or LOOKING & asked.keys():
        cells = answers.cells(asked)
    choices = facets(cells, asked)
    found = window(rows, query.get("offset"))
    return {
        "asked": asked,
        "faults": faults,
        "window": found,
        "rows": [(row, answers.outcome(row.beside_correct, row.correct)) for row in found.rows],
        "outcomes": [(choice, OUTCOME_WORDS[choice.value]) for choice in choices["outcome"]],
        "total": sum(choice.count for choice in choices["outcome"]),
        "selects": [_select(name, label, choices[name], asked) for name, label in SELECTS.items()],
        "correct": choices["correct"],
    }


def asked_of(query: Query) -> dict[str, str]:
    """The filters that are on."""
    return {name: query[name] for name in sorted(FILTERS) if query.get(name)}


def place(answers: Answers, query: Query, item: EvalItem) -> dict[str, Any]:
    """The way to the items before and after one, among those that pass the filters; a wrong filter asks nothing."""
    asked = asked_of(query)
    try:
        return {"asked": asked, "neighbours": answers.neighbours(asked, item.position)}
    except Invalid:
        return {"asked": {}, "neighbours": answers.neighbours({}, item.position)}


def sides(run: Run, stage: str, found: services.ItemComparison | None) -> list[dict[str, Any]]:
    """An item before training beside after it or a checkpoint: the title of each, its answer and its steps."""
    titles = [stage_title(name) for name in ("before", "after" if stage == "before" else stage)]
    rows = found.rows if found else (None, None)
    both = found.diff.sides if found and found.diff else None
    steps = [side.steps for side in both] if both else [panels.steps(row, run) if row else [] for row in rows]
    return [
        {"title": title.capitalize(), "row": row, "steps": shown}
        for title, row, shown in zip(titles, rows, steps, strict=True)
    ]


def _select(name: str, label: str, choices: list[Choice], asked: Query) -> dict[str, Any]:
    return {"name": name, "label": label, "choices": choices, "chosen": asked.get(name, "")}


def _beside_the_config(base: Run, other: Run) -> list[Difference]:
    """What else differs of what two runs were given; nothing as long as one of them has no record."""
    with suppress(Invalid):
        found = differing_inputs(base.directory, other.directory)
        return [difference for difference in found if not difference.name.startswith(OF_THE_CONFIG)]
    return []
