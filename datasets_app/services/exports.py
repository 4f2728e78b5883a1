"""Downloads of a frozen dataset."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from datasets_app.exports import check_format, exported, write_directory, write_zip
from datasets_app.models import Dataset
from datasets_app.rows import check_split
from tunixrt.lib.errors import Conflict, OutOfSpace, Rule


def export_rows(dataset: Dataset, *, format: str, split: str | None = None) -> Iterator[bytes]:
    """The lines of an export, some hundred at a time. Raises Invalid for an unknown format or split before the first.

    The same dataset gives the same bytes, but for `stepwise`: that follows what people say of the steps.
    """
    check_format(format)
    check_split(split)
    dataset.check_readable()
    return exported(dataset, format, split)


def export_parquet(dataset: Dataset, *, output: Path, split: str | None = None) -> int:
    """Makes the directory `output` with Parquet and a dataset card, whole or not at all. Returns the number of rows.

    Raises Conflict when something of that name is there, Rule when there is no row, OutOfSpace.
    """
    _check_rows(dataset, split)
    taken = Conflict(f"{output} is there already. Choose another name, or remove it.", code="exists")
    if output.exists():
        raise taken
    try:
        with _told_when_full():
            return write_directory(dataset, split, output)
    except FileExistsError:
        raise taken


def export_zip(dataset: Dataset, *, split: str | None = None) -> BinaryIO:
    """The same directory as a zip: a file without a name in TUNIXRT_HOME, gone when it is closed.

    Raises Invalid for an unknown split, Rule when there is no row, OutOfSpace.
    """
    _check_rows(dataset, split)
    most = 2 * dataset.rows_path.stat().st_size  # each text is there twice, and at worst nothing can be packed
    if shutil.disk_usage(settings.TUNIXRT_HOME).free < most + settings.DISK_RESERVE_BYTES:
        raise OutOfSpace(f"The disk is nearly full: the download may need {most / 2**20:,.0f} MiB.")
    with _told_when_full():
        return write_zip(dataset, split, settings.TUNIXRT_HOME)


def _check_rows(dataset: Dataset, split: str | None) -> None:
    check_split(split)
    dataset.check_readable()
    if split and not dataset.splits[split]:
        raise Rule(f"{dataset} has no rows in its {split} split.", code="no_rows")


@contextmanager
def _told_when_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutOfSpace("The disk is full: the export could not be written. Nothing of it is left.")
        raise
