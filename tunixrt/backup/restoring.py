"""A backup is unpacked aside, checked whole, and only then takes the place of nothing: an empty home and database."""

import gzip
import hashlib
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import zstandard
from django.conf import settings
from django.core.management import call_command

from tunixrt.backup import databases
from tunixrt.backup.manifest import DUMPS, FOLDERS, MAX_BYTES, NAME, Entry, Manifest, read_manifest
from tunixrt.jobs import work
from tunixrt.jobs.models import Beacon, Job
from tunixrt.lib.errors import Conflict, NotFound, OutOfSpace, Rule

PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
BROKEN = (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, zstandard.ZstdError)
CHUNK = 1024**2
PADDING_CHUNKS = 8


def restore(source: Path) -> dict[str, Any]:
    """Restores a backup into this home and this database, both empty, and gives open work back to the queue.

    Raises NotFound, Conflict when something is there already, Rule for a backup that is damaged, hostile, of a newer
    tunixrt or of another database, OutOfSpace. Until all is checked nothing is changed, and the files leave again when
    the database cannot be loaded.
    """
    home = settings.TUNIXRT_HOME
    if not source.exists():
        raise NotFound(f"There is no {source}.")
    require_empty_home(home)
    databases.require_empty()
    for stale in home.glob(".restore.*.tmp"):  # of a restore that was killed
        shutil.rmtree(stale, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(prefix=".restore.", suffix=".tmp", dir=home))
    try:
        manifest = unpack(source, aside)
        with moved_in(aside, home):
            databases.load(aside / DUMPS[manifest.database])
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    call_command("migrate", verbosity=0)
    return {"created_at": manifest.created_at, "files": len(manifest.files), "bytes": manifest.bytes} | give_back()


@contextmanager
def moved_in(aside: Path, home: Path) -> Iterator[None]:
    """The folders from `aside` in the home; out again when the block fails, so that a second try finds it empty."""
    moved = []
    try:
        for folder in (folder for folder in FOLDERS if (aside / folder).exists()):
            os.rename(aside / folder, home / folder)
            moved.append(folder)
        yield
    except BaseException:
        for folder in moved:
            os.rename(home / folder, aside / folder)
        raise


def require_empty_home(home: Path) -> None:
    for folder in FOLDERS:
        if (home / folder).is_symlink() or ((home / folder).exists() and any((home / folder).iterdir())):
            raise Conflict(
                f"{home / folder} is not empty. Restore into a new home: set TUNIXRT_HOME to one that holds nothing.",
                code="not_empty",
            )


def give_back() -> dict[str, int]:
    """Whoever worked when the backup was made does not work here."""
    Beacon.objects.all().delete()
    running = list(Job.objects.running())
    for job in running:
        work.give_back(job, "its worker is gone: this is a restored backup", failed=False)
    return {"given_back": len(running)}


def unpack(source: Path, into: Path) -> Manifest:
    """Everything that the manifest names, and nothing else, with the sizes and the bytes that it says."""
    path = NAME
    try:
        files = (read_directory if source.is_dir() else read_archive)(source)
        manifest = read_first(files)
        require_room(into, manifest)
        missing = dict(manifest.files)
        for path, stream in files:
            if (entry := missing.pop(path, None)) is None:
                raise Rule(f"The archive holds {path!r:.80}, which its manifest does not name. Nothing was restored.")
            write_checked(stream, entry, into / path)
    except BROKEN as error:
        raise Rule(f"The archive is damaged at or after {path!r:.80}: {error}. Nothing was restored.", code="damaged")
    if missing:
        raise Rule(
            f"The archive ends early: it lacks {len(missing)} files, {next(iter(missing))} among them. "
            "Nothing was restored.",
            code="damaged",
        )
    return manifest


def read_first(files: Iterator[tuple[str, BinaryIO]]) -> Manifest:
    """The manifest, which is the first file. Raises Rule when it is not, or is of what cannot be restored here."""
    path, stream = next(files, ("", None))
    if path != NAME or stream is None:
        raise Rule(f"This is no backup of tunixrt: it does not begin with {NAME}.")
    manifest = read_manifest(stream.read(MAX_BYTES + 1))
    databases.require_means(manifest.database)
    databases.require_known(manifest.migrations)
    return manifest


def read_archive(source: Path) -> Iterator[tuple[str, Any]]:
    """The files of a tar archive in its order. Links, devices and whatever leads out are refused."""
    with decompressed(source) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            tarfile.data_filter(member, "/nowhere")
            if member.type not in PLAIN or member.sparse is not None:
                raise Rule(f"The archive holds {member.name!r:.80}, which is no plain file. Nothing was restored.")
            yield member.name, tar.extractfile(member)
        for _ in range(PADDING_CHUNKS):  # the checksum of the whole follows the end of the tar
            if not stream.read(CHUNK):
                return
    raise Rule("The archive goes on behind its end. Nothing was restored.")


def read_directory(source: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted(source.rglob("*"), key=lambda path: path != source / NAME):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise Rule(f"The backup holds {path.name!r:.80}, which is no plain file. Nothing was restored.")
        if path.is_file():
            with path.open("rb") as stream:
                yield path.relative_to(source).as_posix(), stream


@contextmanager
def decompressed(source: Path) -> Iterator[Any]:
    with source.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start == b"\x28\xb5\x2f\xfd":
            with zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(file) as stream:
                yield stream
        elif start[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=file) as stream:
                yield stream
        else:
            raise Rule(f"{source} is neither gzip nor Zstandard: no backup of tunixrt.")


def write_checked(stream: BinaryIO, entry: Entry, target: Path) -> None:
    """Never more than the manifest says, however much follows."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as file:
        while size <= entry.bytes and (data := stream.read(min(CHUNK, entry.bytes + 1 - size))):
            digest.update(data)
            size += len(data)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if (size, digest.hexdigest()) != (entry.bytes, entry.sha256):
        raise Rule(f"{entry.path} in the archive is not what was backed up. Nothing was restored.", code="damaged")


def require_room(into: Path, manifest: Manifest) -> None:
    free = shutil.disk_usage(into).free - settings.DISK_RESERVE_BYTES
    if manifest.bytes > free:
        raise OutOfSpace(f"The backup needs {manifest.bytes:,} bytes, and {max(free, 0):,} are free.")
