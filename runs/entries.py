"""The completed runs on an evalset with what they came to, as leaderboards and histories read them: a few columns of
each, so that thousands cost one query."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models.fields.json import KeyTransform

from datasets_app.models import EvalSet
from runs.models import Evaluation, Run, RunTag
from training.errors import Fault, Invalid, echo
from training.json_rules import text_faults
from training.statistics import wilson_interval

JUDGE = "answer_correctness"  # whose score ranks
COLUMNS = ("dataset_key", "engine", "recipe", "model")
FILTERS = {*COLUMNS, "tag"}
OF_CONFIG = (("data", "recipe"), ("model", "family"), ("model", "weights"), ("model", "size"))
MOST_CHOICES = 500  # in a select


class Entry(NamedTuple):
    """A run and its score: `right` of the `scored` items."""

    run: UUID
    evaluation: UUID
    dataset: UUID
    dataset_key: str
    engine: str
    config_sha256: str
    recipe: str
    judges: dict[str, str]
    right: int
    scored: int
    launched_at: datetime
    model: str

    @property
    def score(self) -> float:
        return self.right / self.scored

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.right, self.scored)

    @property
    def judge(self) -> str:
        """The version of what judged it; "" in results that are older than the record of it."""
        return version_of(self.judges)


def version_of(judges: Mapping[str, str]) -> str:
    """Of the judge whose score ranks."""
    return str(judges.get(JUDGE, ""))


def entries_of(evalset: EvalSet, tag: str = "") -> list[Entry]:
    """Of each completed run that lists show, the newest first; of those with that tag alone, where one is given."""
    runs = Run.objects.examined_on(evalset).shown()
    results = Evaluation.objects.current().filter(stage=Evaluation.Stage.AFTER, evalset=evalset, scored_count__gt=0)
    rows = (
        results.filter(run__in=runs.tagged(tag) if tag else runs)
        .order_by("-run__created_at", "-run_id")
        .annotate(**{name: _of_config(section, name) for section, name in OF_CONFIG})
        .values_list(
            "run_id", "pk", "run__dataset_id", "run__dataset__key", "run__engine", "run__config_sha256", "recipe",
            "judges", "correct_count", "scored_count", "run__created_at", "family", "weights", "size",
        )
    )  # fmt: skip
    return [Entry._make((*row, f"{family} {weights or size}")) for *row, family, weights, size in rows]


def read_filters(query: Mapping[str, str]) -> dict[str, str]:
    """What `query` asks of runs, by filter; empty values ask nothing. Raises Invalid at the values that cannot be."""
    asked = {name: query[name] for name in FILTERS if query.get(name)}
    faults = [fault for name, value in asked.items() for fault in text_faults(value, (name,))]
    if asked.get("engine", Run.Engine.JAX) not in Run.Engine.values:
        msg = f"must be one of {', '.join(Run.Engine.values)}, not {echo(asked['engine'])}"
        faults.append(Fault(("engine",), msg, "wrong_value"))
    if faults:
        raise Invalid(faults)
    return asked


def passing(entries: Iterable[Entry], asked: Mapping[str, str]) -> list[Entry]:
    """Those that pass the filters that concern their own columns."""
    columns = {name: value for name, value in asked.items() if name in COLUMNS}
    return [entry for entry in entries if all(getattr(entry, name) == value for name, value in columns.items())]


def choices(evalset: EvalSet, entries: Sequence[Entry]) -> dict[str, list[str]]:
    """What each filter can be set to; one choice is none."""
    found: dict[str, list[Any]] = {name: sorted({getattr(entry, name) for entry in entries}) for name in COLUMNS}
    found = {name: values if len(values) > 1 else [] for name, values in found.items()}
    tags = RunTag.objects.filter(run__in=Run.objects.examined_on(evalset).shown()).order_by("name")
    found["tag"] = list(tags.values_list("name", flat=True).distinct()[:MOST_CHOICES])
    return {name: values[:MOST_CHOICES] for name, values in found.items()}


def _of_config(section: str, name: str) -> KeyTransform:
    return KeyTransform(name, KeyTransform(section, "run__config"))
