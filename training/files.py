"""Files that are either whole or absent: write aside, fsync, rename."""

import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path


def write_atomic(path: Path, data: str | bytes) -> None:
    """Puts `data` at `path` so that a reader sees the old file or the new one, never a part."""
    write_lines_atomic(path, [data])


def write_lines_atomic(path: Path, chunks: Iterable[str | bytes]) -> None:
    """As `write_atomic`, for content that arrives in pieces and need not fit in memory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in chunks:
                file.write(chunk.encode() if isinstance(chunk, str) else chunk)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.rename(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


def write_json_atomic(path: Path, value: object) -> None:
    """Puts `value` at `path` as indented JSON for people; raises ValueError on NaN."""
    write_atomic(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def directory_atomic(path: Path) -> Iterator[Path]:
    """Yields a temporary directory beside `path` that becomes `path` when the block ends well.

    Raises FileExistsError when `path` is there already, and leaves nothing behind when the block fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    try:
        yield aside
        os.chmod(aside, 0o755)  # noqa: S103 (as any new directory: mkdtemp's is for its owner alone)
        fsync_directory(aside)
        if path.exists():
            raise FileExistsError(path)
        os.rename(aside, path)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    fsync_directory(path.parent)


def clear_aside(path: Path) -> None:
    """Removes what `directory_atomic` left beside `path` when its process was killed."""
    for aside in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        shutil.rmtree(aside, ignore_errors=True)


def append_line(path: Path, line: str) -> None:
    """Adds one whole line in a single write, so that a reader can trust every terminated line."""
    append_bytes(path, (line.rstrip("\n") + "\n").encode())


def append_bytes(path: Path, data: bytes) -> None:
    """Adds `data` in a single write where the disk has room for it; raises OSError where it has not."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        while data:  # a disk that is nearly full takes a part, and refuses the rest
            data = data[os.write(handle, data) :]
    finally:
        os.close(handle)


def fsync_file(path: Path) -> None:
    """Makes what was written to a file survive a power loss."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def fsync_directory(path: Path) -> None:
    """Makes the names in `path` survive a power loss."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes in 64 hexadecimal digits, read in constant memory."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
