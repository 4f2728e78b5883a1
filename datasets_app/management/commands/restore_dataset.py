"""`manage.py restore_dataset KEY`: makes the database and the directory of a dataset agree."""

from collections.abc import Iterable
from typing import Any

from datasets_app import services
from tunixrt.lib.commands import Command as Base


class Command(Base):
    help = "Restores a frozen dataset: its directory from the database, or the database from its directory."

    def add_options(self, parser) -> None:
        parser.add_argument("key")
        parser.add_argument(
            "--from",
            dest="source",
            choices=services.SOURCES,
            help="The side that is right. When not given: disk if the database lacks rows, else the database.",
        )

    def run(self, *, key: str, source: str | None, **options: Any) -> dict:
        return services.restore_dataset(key=key, source=source).to_dict()

    def show(self, result: dict) -> Iterable[str]:
        if not result["mended"]:
            yield f"{result['dataset_key']}: database and directory agree"
        for fault in result["mended"]:
            yield f"mended: {'.'.join(map(str, fault['loc']))} {fault['msg']}"
        if result["source"]:
            yield f"{result['dataset_key']} is restored from {result['source']}"
