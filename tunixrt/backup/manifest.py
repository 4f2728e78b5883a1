"""What an archive says of itself: the database's kind and schema, and every file with its size and SHA-256."""

from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from training.errors import Invalid
from training.strict_json import parse_json
from tunixrt.lib.errors import Rule

NAME = "MANIFEST.json"
FORMAT = 1
FOLDERS = ("datasets", "evalsets", "tokenizers", "imports", "artifacts")  # of the home
DUMPS = {"sqlite": "db.sqlite3", "postgresql": "database.dump"}  # by the database's vendor
MAX_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class Entry:
    path: str  # within the archive, with /
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    created_at: str
    database: str  # the vendor
    migrations: list[str]  # applied ones, as "app.name"
    files: dict[str, Entry]
    format_version: int = FORMAT

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.files.values())

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"files": [asdict(entry) for entry in self.files.values()]}


def read_manifest(data: bytes) -> Manifest:
    """Raises Rule for a manifest that is none, of a later format, or that names what no archive of ours holds."""
    try:
        found: Any = parse_json(data, max_bytes=MAX_BYTES)
        if found["format_version"] != FORMAT:
            raise Rule(f"The archive has format {found['format_version']}; this version of tunixrt reads {FORMAT}.")
        entries = [Entry(**entry) for entry in found.pop("files")]
        manifest = Manifest(**found, files={entry.path: entry for entry in entries})
        sound = manifest.database in DUMPS and all(type(entry.bytes) is int and entry.bytes >= 0 for entry in entries)
    except (Invalid, KeyError, TypeError, AttributeError):
        raise Rule(f"This is no backup of tunixrt: its {NAME} cannot be read.")
    if not sound or DUMPS[manifest.database] not in manifest.files:
        raise Rule(f"This is no backup of tunixrt: its {NAME} names no database.")
    for path in manifest.files:
        check_path(path, manifest.database)
    return manifest


def check_path(path: str, database: str) -> None:
    """Raises Rule unless the path is the database's or lies below one of the folders."""
    pure = PurePosixPath(path)
    inside = str(pure) == path and ".." not in pure.parts and "\\" not in path and path.isprintable()
    if not (inside and (path == DUMPS[database] or (len(pure.parts) > 1 and pure.parts[0] in FOLDERS))):
        raise Rule(f"The archive names a file that no backup holds: {path!r:.80}. Nothing was restored.")
