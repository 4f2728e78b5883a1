"""What the pages of a dataset and of an evalset draw, put together from what they keep."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from datasets_app import services
from datasets_app.gates import CONTAMINATION
from datasets_app.models import Dataset, EvalItem, EvalSet
from datasets_app.services.exposure import GivenAway
from training.evalset_checks import Doubt, doubts_of
from training.splits import SPLITS

BAR = 640  # units of width
MOST_VERSIONS = 10
MOST_DATASETS = 50  # that an evalset's page asks for leaks, the newest
MOST_DOUBTED = 2_000  # items that are looked at while somebody waits
MOST_ITEMS = 10  # that it names of those a dataset gives away
MOST_LABELS = 100  # of one kind that a page names
PROVENANCE = ("session_id", "training_run_id", "provenance")


def splits(dataset: Dataset) -> list[dict[str, Any]]:
    """Each split with its rows, and where its part of a bar begins and how wide it is."""
    start, bars = 0.0, []
    for slot, split in enumerate(SPLITS, start=1):
        rows = dataset.splits.get(split, 0)
        width = BAR * rows / dataset.trace_count if dataset.trace_count else 0
        bars.append({"name": split, "rows": rows, "slot": slot, "x": f"{start:.1f}", "width": f"{width:.1f}"})
        start += width
    return bars


def versions(dataset: Dataset) -> list[Dataset]:
    """The other frozen datasets of the same name or made after this one, newest first."""
    others = Dataset.objects.frozen().related_to(dataset).exclude(pk__in=(dataset.pk, dataset.parent_id))
    return list(others.newest_first()[:MOST_VERSIONS])


def leaks(dataset: Dataset) -> dict[str, Any] | None:
    """What the firewall found; None for a dataset that was frozen before there was one."""
    return dataset.result_of(CONTAMINATION)


def provenance(dataset: Dataset) -> Iterator[tuple[str, Any]]:
    """Where the request says that the dataset comes from."""
    return ((name.replace("_", " "), value) for name in PROVENANCE if (value := dataset.request.get(name)))


class Labels(NamedTuple):
    """How many items have each label of a kind; `others` are the items of labels that are too many to name."""

    kind: str  # section, category or difficulty
    counts: list[tuple[str, int]]
    others: int


class Exposure(NamedTuple):
    """What a dataset gives away of an evalset; nothing is known where its rows were never held against it."""

    dataset: Dataset
    found: GivenAway | None

    @property
    def items(self) -> list[str]:
        """Some of the items that it gives away."""
        return sorted(self.found.items)[:MOST_ITEMS] if self.found else []


def labels(evalset: EvalSet) -> list[Labels]:
    """What an evalset asks, the most frequent first."""
    counts = EvalItem.objects.filter(evalset=evalset).label_counts()
    return _labels(counts.get(evalset.pk, {}), MOST_LABELS)


def with_labels(evalsets: Sequence[EvalSet]) -> list[tuple[EvalSet, list[Labels]]]:
    """Each evalset with the three most frequent labels of every kind. One query for all of them."""
    counts = EvalItem.objects.filter(evalset__in=evalsets).label_counts()
    return [(evalset, _labels(counts.get(evalset.pk, {}), 3)) for evalset in evalsets]


def doubts(evalset: EvalSet) -> list[Doubt]:
    """What is doubtful of the first items of an evalset."""
    return list(doubts_of([item.to_dict() for item in evalset.items.all()[:MOST_DOUBTED]]))


def exposures(evalset: EvalSet) -> list[Exposure]:
    """What the newest datasets give away of an evalset."""
    datasets = Dataset.objects.frozen().newest_first()[:MOST_DATASETS]
    return [Exposure(dataset, services.given_away(dataset=dataset, evalset=evalset)) for dataset in datasets]


def _labels(counts: dict[str, Counter[str]], most: int) -> list[Labels]:
    return [
        Labels(kind, found.most_common(most), found.total() - sum(count for _, count in found.most_common(most)))
        for kind, found in counts.items()
        if found
    ]


def side_by_side(base: Dataset, other: Dataset) -> list[tuple[str, Any, Any]]:
    """Figures of two datasets: what it is, of the one, of the other. None where an old dataset does not know it."""
    sides = [_figures(dataset) for dataset in (base, other)]
    return [(name, *(side[name] for side in sides)) for name in sides[0]]


def _figures(dataset: Dataset) -> dict[str, Any]:
    stats = dataset.stats
    return {
        "rows": dataset.trace_count,
        **{f"{split} rows": dataset.splits.get(split) for split in SPLITS},
        "steps a row": stats.get("steps", {}).get("mean"),
        "characters of a prompt": stats.get("characters", {}).get("prompt", {}).get("mean"),
        "tokens a row": stats.get("tokens", {}).get("row", {}).get("mean"),
        "sources": len(stats.get("sources", [])),
        "leaks": dataset.leak_count,
        "gates that found something": sum(bool(gate["count"]) for gate in dataset.gates),
    }
