from collections.abc import Iterable
from pathlib import Path

from tunixrt.backup import restore
from tunixrt.lib.commands import Command as BaseCommand


class Command(BaseCommand):
    help = "Restores a backup into an empty home and an empty database, once every checksum is right."
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_options(self, parser) -> None:
        parser.add_argument("source", type=Path)

    def run(self, *, source: Path, **options) -> dict:
        return restore(source)

    def show(self, result: dict) -> Iterable[str]:
        yield f"Restored {result['files']:,} files of the backup of {result['created_at']}."
        if result["given_back"]:
            yield f"{result['given_back']} pieces of work that were being done wait in the queue again."
        yield "People sign in again; `manage.py doctor` tells whether all is well."
