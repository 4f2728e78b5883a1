"""Datasets whose files and database disagree: named, and put right from the side that is whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from datasets_app.keys import is_key, split_key
from datasets_app.manifest_file import ManifestFile, read_manifest
from datasets_app.models import Dataset
from datasets_app.pipeline import ITEMS, check_dataset_files, restore_from_database, restore_from_disk
from training.errors import Fault, Invalid, echo
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Conflict, NotFound

DISK, DATABASE = SOURCES = ("disk", "database")


@dataclass(frozen=True)
class Restored:
    """What was wrong with a dataset, and the side that it was put right from; None when nothing was wrong."""

    key: str
    source: str | None
    mended: list[Fault]

    def to_dict(self) -> dict[str, Any]:
        return {
            "dataset_key": self.key,
            "source": self.source,
            "mended": [fault.to_dict() for fault in self.mended],
        }


def restore_dataset(*, key: str, source: str | None = None, by=None) -> Restored:
    """Makes the database and the directory of a dataset agree.

    Without a `source`, from disk when the database lacks the dataset or rows of it, else from the database. Raises
    Invalid or Conflict with the reasons when that side is not whole itself, NotFound when neither knows the key.
    """
    split_key(key)
    if source not in (None, *SOURCES):
        raise Invalid(Fault(("source",), f"must be disk or database, not {echo(source)}", "unknown_value"))
    dataset = Dataset.objects.by_key(key)
    faults = _faults(key, dataset)
    if not faults:
        return Restored(key, None, [])
    source = source or (DISK if any(fault.loc == (ITEMS,) for fault in faults) else DATABASE)
    if source == DATABASE:
        restore_from_database(_frozen(key, dataset))
    else:
        dataset = _from_disk(key, dataset, by)
    if left := _faults(key, dataset):
        raise Conflict(f"{key} still disagrees with its files; restore it from the other side.", faults=left)
    return Restored(key, source, faults)


def damaged_datasets() -> Iterator[tuple[str, list[Fault]]]:
    """Every frozen dataset that disagrees with its files, and every directory that the database does not know."""
    for dataset in Dataset.objects.frozen().order_by("key"):
        if faults := check_dataset_files(dataset):
            yield dataset.key, faults
    known = set(Dataset.objects.values_list("key", flat=True))
    for directory in sorted(_home().glob("*/manifest.json")):
        key = directory.parent.name
        if is_key(key) and key not in known:
            yield key, _faults(key, None)


def _faults(key: str, dataset: Dataset | None) -> list[Fault]:
    if dataset is None or dataset.status == Dataset.Status.SEALING:
        if dataset is None and not (_home() / key).is_dir():
            raise NotFound(f"There is no dataset {key}, neither in the database nor on disk.")
        return [Fault((ITEMS,), "are on disk, and not in the database", "missing")]
    return check_dataset_files(_frozen(key, dataset))


def _frozen(key: str, dataset: Dataset | None) -> Dataset:
    if dataset is None:
        raise Conflict(f"{key} is not in the database. Restore it from disk.", code="wrong_state")
    if dataset.key != key:
        raise Conflict(f"{dataset} is taken; {key} differs from it in case only.", code="frozen")
    if dataset.status != Dataset.Status.FROZEN:
        raise Conflict(f"{dataset} is {dataset.status}, not frozen.", code="not_frozen")
    return dataset


def _from_disk(key: str, dataset: Dataset | None, by) -> Dataset:
    directory = _home() / key
    manifest = read_manifest(directory / "manifest.json", key)
    rows = directory / "dataset.jsonl"
    if not rows.is_file():
        raise Conflict(f"{rows} is missing, so there is nothing to restore from.", code="missing")
    _check_same(manifest, dataset)
    return restore_from_disk(manifest, rows, dataset, by)


def _check_same(manifest: ManifestFile, dataset: Dataset | None) -> None:
    """Raises Conflict when the database has another dataset of that key, or another key of that build."""
    if dataset is None:
        if other := Dataset.objects.filter(pk=manifest.build_id).first():
            raise Conflict(f"The build {manifest.build_id} is {other} in the database.", code="frozen")
        return
    if dataset.status == Dataset.Status.SEALING and Job.objects.for_target(dataset.pk).open().exists():
        raise Conflict(f"{dataset} is being built. Wait for it, or cancel it.", code="being_built")
    for name, here, there in (
        ("build_id", dataset.pk, manifest.build_id),
        ("content_sha256", dataset.content_sha256, manifest.content_sha256),
    ):
        if here != there:
            msg = f"The database has {dataset} with the {name} {here}, the manifest has {there}: another dataset."
            raise Conflict(msg, code="frozen", faults=[Fault(("manifest.json", name), f"is {there}", "wrong_value")])


def _home() -> Path:
    return settings.TUNIXRT_HOME / "datasets"
