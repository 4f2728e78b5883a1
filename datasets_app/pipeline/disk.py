"""The directory of a dataset."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from datasets_app.manifest import manifest
from datasets_app.models import Dataset
from datasets_app.rows import line_of, row_of
from datasets_app.selection import CHUNK
from training.files import directory_atomic, file_sha256, write_json_atomic, write_lines_atomic
from tunixrt.lib.errors import Conflict


def put_on_disk(dataset: Dataset, tick: Callable[[int], None] = lambda done: None) -> None:
    """Writes the dataset's directory from its items; one that holds the same rows already is kept.

    Raises Conflict when there is a directory of that name with other rows.
    """
    if not dataset.directory.exists():
        with directory_atomic(dataset.directory) as aside:
            write_lines_atomic(aside / dataset.rows_path.name, lines(dataset, tick))
            write_json_atomic(aside / dataset.manifest_path.name, contents(dataset))
    check_directory(dataset)


def check_directory(dataset: Dataset) -> None:
    """Makes sure that the directory holds the dataset; a manifest that is lost or says otherwise is written anew.

    Raises Conflict when it holds other rows.
    """
    if (
        not dataset.rows_path.is_file()
        or dataset.manifest_path.is_dir()
        or file_sha256(dataset.rows_path) != dataset.content_sha256
    ):
        raise Conflict(
            f"{dataset.directory} holds other rows than this dataset. Move it away, or choose another version.",
            code="directory_differs",
        )
    wanted = contents(dataset)
    if not _holds(dataset.manifest_path, wanted):
        write_json_atomic(dataset.manifest_path, wanted)


def contents(dataset: Dataset) -> dict:
    """The manifest that the database knows of."""
    ids = dataset.items.order_by("position").values_list("trace_id", flat=True)
    return manifest(dataset, ids.iterator(chunk_size=10_000))


def lines(dataset: Dataset, tick: Callable[[int], None]) -> Iterator[str]:
    """The lines of `dataset.jsonl`, from the database, a chunk at a time."""
    for start in range(0, dataset.trace_count, CHUNK):
        tick(start)
        items = dataset.items.filter(position__gte=start, position__lt=start + CHUNK).order_by("position")
        for trace_id, split, text in items.values_list("trace_id", "split", "trace__canonical"):
            yield line_of(row_of(trace_id, split, json.loads(text)))


def _holds(path: Path, wanted: dict) -> bool:
    try:
        return json.loads(path.read_bytes()) == wanted
    except (OSError, ValueError, RecursionError):
        return False
