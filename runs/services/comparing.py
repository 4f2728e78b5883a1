"""Two runs beside each other: on the same items, and what differs in their configs."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Q

from datasets_app.models import EvalItem
from runs import noise, verdicts
from runs.answer_diff import AnswerDiff, Side, diff_answers
from runs.answers import Answers, Cells, outcome_counts, outcome_of
from runs.models import Prediction, Run
from runs.reading import read_steps
from runs.services.results import require_judged_alike, results_of
from training.comparison import Comparison, of_counts
from training.config import TrainConfig
from training.decision import Decided
from training.errors import Invalid
from training.inputs import flat


@dataclass(frozen=True)
class RunComparison:
    """Two runs on the same items: what differs in their configs, and which items they answer differently."""

    base: Run
    other: Run
    config: list[tuple[str, Any, Any]]  # dotted path, base's value, other's value; the engine too
    results: Comparison  # its figures, without rows
    answers: Answers  # the other's, each beside the base's
    cells: Cells  # of all answers

    @cached_property
    def decided(self) -> Decided:
        """Whether the other may take the base's place. Raises Rule when the two were not judged alike."""
        base, other = results_of(self.base, self.other)
        require_judged_alike(base, other)
        rows = base.judgements(), other.judgements()
        return verdicts.decide(*rows, self.base.evalset, noise=noise.floor_between(base, other))

    def changed(self) -> list[tuple[str, bool]]:
        """The ids of the items that one answers right and the other wrong, and whether they were won."""
        won, lost = Q(beside_correct=False, correct=True), Q(beside_correct=True, correct=False)
        return list(self.answers.rows({}).filter(won | lost).values_list("item__item_id", "correct"))


@dataclass(frozen=True)
class ItemComparison:
    """Two answers to one item, what became of it and of the steps; None where it was not asked."""

    item: EvalItem
    base: Prediction | None
    other: Prediction | None
    diff: AnswerDiff | None

    @property
    def outcome(self) -> str:
        return outcome_of(self.base and self.base.correct, self.other and self.other.correct)

    @property
    def rows(self) -> tuple[Prediction | None, Prediction | None]:
        return self.base, self.other


def compare_runs(*, base: Run, other: Run) -> RunComparison:
    """Two trained models on the same items. Raises Conflict when one has no results, Rule when the items differ."""
    answers = answers_beside(base=base, other=other)
    cells = answers.cells({})
    results = of_counts(outcome_counts(cells, {}))
    return RunComparison(base, other, config_difference(base, other), results, answers, cells)


def answers_beside(*, base: Run, other: Run) -> Answers:
    """What `other` answers now that it is trained, each beside the base's. Raises as `compare_runs`."""
    before, after = results_of(base, other)
    return Answers(after, before)


def compare_item(*, answers: Answers, item: EvalItem) -> ItemComparison:
    """What two examinations have for one item, from the base to the other."""
    asked = Prediction.objects.filter(evaluation__in=[answers.shown, answers.beside], item=item)
    found = {row.evaluation_id: row for row in asked.select_related("item", "evaluation__run")}
    shown, beside = found.get(answers.shown.pk), found.get(answers.beside.pk) if answers.beside else None
    base, other = (shown, beside) if answers.shown_first else (beside, shown)
    return ItemComparison(item, base, other, diff_answers(_side(base), _side(other)) if base and other else None)


def config_difference(base: Run, other: Run) -> list[tuple[str, Any, Any]]:
    """The engine and the fields of two runs' configs that differ; the mesh only says where the same is computed."""
    mine, theirs = ({"engine": run.engine} | flat(_as_read_now(run.config)) for run in (base, other))
    return [
        (path, mine.get(path), theirs.get(path)) for path in {**mine, **theirs} if mine.get(path) != theirs.get(path)
    ]


def _side(row: Prediction) -> Side:
    recipe = row.evaluation.run.config["data"]["recipe"]
    return Side(read_steps(row.item.prompt, row.output, recipe), row.answer, row.correct)


def _as_read_now(config: dict) -> dict[str, Any]:
    """A stored config with today's defaults for the fields that it lacks; as it is when it can be read no more."""
    with suppress(Invalid):
        config = TrainConfig.from_dict(config).to_dict()
    return {section: fields for section, fields in config.items() if section != "mesh"}
