from collections.abc import Iterable
from pathlib import Path

from django.template.defaultfilters import filesizeformat

from tunixrt.backup import backup
from tunixrt.lib.commands import Command as BaseCommand


class Command(BaseCommand):
    help = "Backs up database, datasets and runs into one archive, while everything goes on: docs/runs.md."

    def add_options(self, parser) -> None:
        parser.add_argument("target", type=Path, help="a new .tar.zst or .tar.gz; any other name: a directory")

    def run(self, *, target: Path, **options) -> dict:
        return backup(target)

    def show(self, result: dict) -> Iterable[str]:
        size = filesizeformat(result["bytes"]).replace(chr(160), " ")
        return [f"{result['path']}: {result['database']} and {result['files'] - 1:,} files, {size} before packing."]
