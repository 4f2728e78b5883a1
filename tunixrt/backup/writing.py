"""A backup is staged beside the home's files, hashed, and packed; runs go on meanwhile.

The database comes first, so every file that its rows speak of is there when the files' turn comes. What is sealed
(datasets, checkpoints) is linked, which takes no room; what still grows is copied up to its last whole line.
"""

import errno
import gzip
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import zstandard
from django.conf import settings
from django.utils import timezone

from runs.models import Run
from training.files import file_sha256, fsync_directory, write_json_atomic
from tunixrt.backup import databases
from tunixrt.backup.manifest import DUMPS, FOLDERS, NAME, Entry, Manifest
from tunixrt.jobs.child import CHILD
from tunixrt.lib.errors import Conflict, OutOfSpace

LINES = (".jsonl", ".log")  # grow line by line
SEAL = "MANIFEST.json"  # the last file of a checkpoint to come and the first to go


def backup(target: Path) -> dict[str, Any]:
    """Writes `target`: by its ending a `.tar.gz` or a `.tar.zst`, else a directory. It is whole or not there.

    Raises Conflict when there is something at `target`, NotInstalled without pg_dump, OutOfSpace.
    """
    target = target.absolute()
    if os.path.lexists(target):
        raise Conflict(f"{target} is there already. Name a new file.", code="exists")
    databases.require_means(databases.connection.vendor)
    packed = target.name.endswith((".tar.gz", ".tar.zst"))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with staging(settings.TUNIXRT_HOME if packed else target.parent) as stage:
            manifest = fill(stage, link=packed)
            if packed:
                pack(stage, manifest, target)
            else:
                os.rename(stage, target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutOfSpace(f"There is no room for the backup: {error}. Nothing was left at {target}.")
        raise
    fsync_directory(target.parent)
    about = {"path": str(target), "database": manifest.database, "created_at": manifest.created_at}
    return about | {"files": len(manifest.files), "bytes": manifest.bytes}


@contextmanager
def staging(beside: Path) -> Iterator[Path]:
    """A directory that goes with the block. One of a backup that was killed goes after a day: its links hold room."""
    for stale in beside.glob(".backup.*.tmp"):
        if time.time() - stale.stat().st_mtime > 24 * 3600:
            shutil.rmtree(stale, ignore_errors=True)
    stage = Path(tempfile.mkdtemp(prefix=".backup.", suffix=".tmp", dir=beside))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def fill(stage: Path, *, link: bool) -> Manifest:
    """Brings together what the backup holds; the manifest lies beside it. Links only where what is staged is packed."""
    vendor = databases.connection.vendor
    databases.dump(stage / DUMPS[vendor])
    for folder in FOLDERS[:-1]:
        keep_folder(settings.TUNIXRT_HOME / folder, stage / folder, linked=link and folder in ("datasets", "evalsets"))
    for run in Run.objects.only("pk").iterator():
        keep_run(run.directory, stage / run.directory.relative_to(settings.TUNIXRT_HOME), link=link)
    paths = sorted(path for path in stage.rglob("*") if path.is_file())
    entries = [Entry(path.relative_to(stage).as_posix(), path.stat().st_size, file_sha256(path)) for path in paths]
    now = timezone.now().isoformat(timespec="seconds")
    manifest = Manifest(now, vendor, databases.applied_migrations(), {entry.path: entry for entry in entries})
    write_json_atomic(stage / NAME, manifest.to_dict())
    return manifest


def keep_run(run: Path, into: Path, *, link: bool) -> None:
    """Those of a run's checkpoints that are sealed and stay so meanwhile, and then its small files.

    In this order no checkpoint is newer than the lines; a resume forgets lines that are newer than its checkpoint.
    """
    for step in sorted(run.glob("checkpoints/[0-9]*")):
        kept = into / "checkpoints" / step.name
        try:
            keep_folder(step, kept, linked=link, leave_out=(SEAL,), hidden=True)
            keep_file(step / SEAL, kept / SEAL, linked=link)
        except FileNotFoundError:
            shutil.rmtree(kept, ignore_errors=True)
    keep_folder(run, into, linked=False, leave_out=("checkpoints", CHILD))


def keep_folder(folder: Path, into: Path, *, linked: bool, leave_out: Sequence[str] = (), hidden: bool = False) -> None:
    """Regular files only. What vanishes meanwhile is left out, or raises FileNotFoundError (`hidden`: a checkpoint)."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for entry in os.scandir(folder):
        if entry.name in leave_out or (entry.name.startswith(".") and not hidden) or entry.is_symlink():
            continue
        if entry.is_dir(follow_symlinks=False):
            keep_folder(Path(entry.path), into / entry.name, linked=linked, hidden=hidden)
        elif entry.is_file(follow_symlinks=False):
            with suppress(*(() if hidden else (FileNotFoundError,))):
                keep_file(Path(entry.path), into / entry.name, linked=linked)


def keep_file(file: Path, into: Path, *, linked: bool) -> None:
    into.parent.mkdir(parents=True, exist_ok=True)
    if linked:
        try:
            return os.link(file, into, follow_symlinks=False)
        except FileNotFoundError:
            raise
        except OSError:
            pass  # another file system, or one without links
    shutil.copyfile(file, into, follow_symlinks=False)
    if not linked and into.name.endswith(LINES):
        cut_to_lines(into)


def cut_to_lines(file: Path) -> None:
    """Takes off what follows the last end of a line: somebody is writing it."""
    with file.open("r+b") as opened:
        end = opened.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 65_536)
            opened.seek(start)
            at = opened.read(end - start).rfind(b"\n")
            if at >= 0:
                opened.truncate(start + at + 1)
                return
            end = start
        opened.truncate(0)


def pack(stage: Path, manifest: Manifest, target: Path) -> None:
    """The manifest first, so that a reader knows what must follow; links to one file as files of their own.

    For its owner's eyes only: it holds the database.
    """
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            with compressed(file, target) as out, tarfile.open(fileobj=out, mode="w|", dereference=True) as tar:
                for path in (NAME, *manifest.files):
                    tar.add(stage / path, arcname=path, recursive=False, filter=anonymous)
            file.flush()
            os.fsync(file.fileno())
        os.rename(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the names of people."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


@contextmanager
def compressed(file: BinaryIO, target: Path) -> Iterator[Any]:
    if target.name.endswith(".zst"):
        with zstandard.ZstdCompressor(level=3, write_checksum=True).stream_writer(file, closefd=False) as out:
            yield out
    else:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6) as out:
            yield out
