"""`manage.py import_evalset FILE`: questions from a file, or an evalset that comes with the program."""

from pathlib import Path
from typing import Any

from datasets_app import services
from datasets_app.evalset_files import EVALSET, FILE_FORMATS, SHIPPED
from tunixrt.lib.commands import Command as Base
from tunixrt.lib.errors import NotFound


class Command(Base):
    help = f"Imports an evalset from a file, or one that comes with the program ({', '.join(SHIPPED)})."

    def add_options(self, parser) -> None:
        parser.add_argument("file", help="A path, or the name of a shipped evalset.")
        parser.add_argument("--format", choices=FILE_FORMATS, default=EVALSET)
        parser.add_argument("--name", help="The file's name when not given.")

    def run(self, *, file: str, format: str, name: str | None, **options: Any) -> dict:
        if file in SHIPPED:
            return services.shipped_evalset(name=file, by=None).to_dict()
        path = Path(file)
        try:
            return services.evalset_from_file(path=path, name=name or path.stem, format=format, by=None).to_dict()
        except OSError as error:
            raise NotFound(f"{path} cannot be read: {error.strerror}")
