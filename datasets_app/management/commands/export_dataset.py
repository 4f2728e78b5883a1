"""`manage.py export_dataset KEY`: a frozen dataset in a format that trainers read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets_app import services
from datasets_app.exports import EXPORTS
from datasets_app.models import Dataset
from training.files import write_lines_atomic
from training.splits import SPLITS
from tunixrt.lib.commands import Command as Base
from tunixrt.lib.errors import NotFound, Refused


class Command(Base):
    help = "Writes a frozen dataset as JSON lines, to a file or to standard output."

    def add_options(self, parser) -> None:
        parser.add_argument("key")
        parser.add_argument("--format", choices=list(EXPORTS), default="trace")
        parser.add_argument("--split", choices=list(SPLITS), help="All splits when not given.")
        parser.add_argument("--output", type=Path, help="Standard output when not given.")

    def run(self, *, key: str, format: str, split: str | None, output: Path | None, **options: Any) -> dict:
        dataset = Dataset.objects.with_key(key).first()
        if dataset is None:
            raise NotFound(f"There is no dataset {key!r}.")
        rows = self.counted(services.export_rows(dataset, format=format, split=split))
        if output is None:
            for row in rows:
                self.stdout.write(row, ending="")
            return {}
        try:
            write_lines_atomic(output, rows)
        except OSError as error:
            raise Refused(f"{output} cannot be written: {error.strerror}", code="not_written")
        return {"dataset_key": key, "format": format, "rows": self.rows, "output": str(output)}

    def counted(self, rows: Iterator[str]) -> Iterator[str]:
        self.rows = 0
        for row in rows:
            self.rows += 1
            yield row
