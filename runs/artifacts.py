"""A run's files for download: listed and opened so that no name leads out of the run's directory."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from django.http import FileResponse, Http404

MAX_PATH = 1000  # characters
MAX_FILES = 2000  # listed
MAX_MEASURED = 100_000  # files counted
TEXT = (".json", ".jsonl", ".log", ".md", ".txt", ".yaml")


class Artifact(NamedTuple):
    path: str  # within the run's directory
    size: int  # bytes
    modified: float  # seconds since the epoch


class Size(NamedTuple):
    """How much there is; at least that much where MAX_MEASURED files were counted."""

    files: int = 0
    bytes: int = 0


KINDS = {"checkpoints": "checkpoints", "ledger": "metrics", "eval": "evaluation", "delta": "evaluation"}  # by beginning
ENDINGS = {".log": "logs", "metrics.jsonl": "metrics"}


def list_artifacts(root: Path) -> list[Artifact]:
    """The run's regular files by path, at most MAX_FILES; what is written aside and symbolic links are left out."""
    found = []
    for artifact in _walk(root, root):
        found.append(artifact)
        if len(found) == MAX_FILES:
            break
    return sorted(found)


def size_by_kind(artifacts: list[Artifact]) -> dict[str, Size]:
    """What the listed files take by what they are for, the largest first."""
    found: dict[str, Size] = {}
    for artifact in artifacts:
        files, size = found.get(kind := kind_of(artifact.path), Size())
        found[kind] = Size(files + 1, size + artifact.size)
    return dict(sorted(found.items(), key=lambda pair: -pair[1].bytes))


def kind_of(path: str) -> str:
    """checkpoints, metrics (the ledger among them), evaluation, logs, or record."""
    begins = (kind for beginning, kind in KINDS.items() if path.startswith(beginning))
    ends = (kind for ending, kind in ENDINGS.items() if path.endswith(ending))
    return next(begins, None) or next(ends, "record")


def measure(root: Path) -> Size:
    """All that a removal of `root` takes: hidden files too, links as themselves."""
    if root.is_symlink():
        return Size(1, 0)
    files = size = 0
    for directory, _, names in os.walk(root):
        for name in names:
            with suppress(FileNotFoundError):
                size += os.lstat(os.path.join(directory, name)).st_size
                files += 1
        if files >= MAX_MEASURED:
            break
    return Size(files, size)


def open_artifact(root: Path, path: str) -> BinaryIO:
    """The file at `path` below `root`, for reading.

    Each part is opened from the directory before it and never through a link, so nothing that happens to the tree
    meanwhile can lead elsewhere. Raises FileNotFoundError for whatever is not a regular file there.
    """
    parts = path.split("/")
    if len(path) > MAX_PATH or any(_is_odd(part) for part in parts):
        raise FileNotFoundError(path)
    try:
        return _open_parts(root, parts)
    except OSError:
        raise FileNotFoundError(path)


def content_type(path: str) -> str:
    """Plain text or bytes: a browser never takes a run's file for a page."""
    return "text/plain; charset=utf-8" if path.endswith(TEXT) else "application/octet-stream"


def _open_parts(root: Path, parts: list[str]) -> BinaryIO:
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            os.close(directory)
            directory = inner
        # Without O_NONBLOCK, opening a pipe would wait for somebody to write into it.
        handle = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    finally:
        os.close(directory)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileNotFoundError(parts[-1])
    return os.fdopen(handle, "rb")


def _is_odd(part: str) -> bool:
    """Whether no file of a run can have this name: empty, hidden, `.` and `..` among the hidden, or unprintable."""
    return not part or part.startswith(".") or "\\" in part or not part.isprintable()


def _walk(directory: Path, root: Path) -> Iterator[Artifact]:
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except FileNotFoundError:
        return  # not begun yet, or removed meanwhile
    for entry in entries:
        if _is_odd(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), root)
        elif entry.is_file(follow_symlinks=False):
            facts = entry.stat(follow_symlinks=False)
            yield Artifact(str(Path(entry.path).relative_to(root)), facts.st_size, facts.st_mtime)


def download(run_dir: Path, name: str) -> FileResponse:
    """A file of the run as an attachment that no browser runs. Raises Http404 where `open_artifact` finds none."""
    try:
        file = open_artifact(run_dir, name)
    except FileNotFoundError:
        raise Http404
    filename = name.rpartition("/")[2]
    response = FileResponse(file, as_attachment=True, filename=filename, content_type=content_type(name))
    response["Content-Security-Policy"] = "sandbox"
    return response
