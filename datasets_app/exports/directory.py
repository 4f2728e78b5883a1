"""Parquet and its card as a directory, and that directory as a zip."""

import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from datasets_app.exports.card import card, path_of
from datasets_app.exports.frozen import Row, read_blocks
from datasets_app.exports.parquet import GROUP_BYTES, write_parquet
from datasets_app.models import Dataset
from training.files import directory_atomic, fsync_directory
from training.splits import SPLITS

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name: the same rows have the same bytes whenever
Open = Callable[[str], AbstractContextManager[Any]]  # makes a file of a relative name, for bytes


def write_directory(dataset: Dataset, split: str | None, path: Path) -> int:
    """Makes the directory `path`, whole or not at all. Returns the number of rows; raises FileExistsError."""
    with directory_atomic(path) as aside:

        @contextmanager
        def open_file(name: str) -> Iterator[BinaryIO]:
            target = aside / name
            target.parent.mkdir(exist_ok=True)
            with target.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            fsync_directory(target.parent)

        return _write(dataset, split, open_file)


def write_zip(dataset: Dataset, split: str | None, home: Path) -> BinaryIO:
    """A zip to be read from its beginning, in a file of `home` that has no name and is gone once it is closed."""
    file = tempfile.TemporaryFile(dir=home)  # noqa: SIM115 (who reads it closes it)
    try:
        with zipfile.ZipFile(file, "w") as archive:  # stored: Parquet is packed already

            def open_file(name: str) -> AbstractContextManager[Any]:
                entry = zipfile.ZipInfo(name, EPOCH)
                entry.external_attr = 0o644 << 16
                return archive.open(entry, "w", force_zip64=True)

            _write(dataset, split, open_file)
        file.seek(0)
        return file
    except BaseException:
        file.close()
        raise


def _write(dataset: Dataset, split: str | None, open_file: Open) -> int:
    """Writes the splits that have rows (`load_dataset` opens none without), then the card that describes them."""
    written = {}
    for name in [split] if split else [name for name in SPLITS if dataset.splits[name]]:
        groups = (block.rows for block in read_blocks(dataset.rows_path, name, Row, GROUP_BYTES))
        with open_file(path_of(name)) as file:
            written[name] = write_parquet(file, groups, dataset.recipe, dataset.instruction)
    with open_file("README.md") as file:
        file.write(card(dataset, written).encode())
    return sum(part.rows for part in written.values())
