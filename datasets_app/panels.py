"""What the page of a dataset draws, put together from what the dataset keeps."""

from collections.abc import Iterator
from typing import Any

from datasets_app.gates import CONTAMINATION
from datasets_app.models import Dataset
from training.splits import SPLITS

BAR = 640  # units of width
MOST_VERSIONS = 10
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
