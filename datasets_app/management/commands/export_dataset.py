"""`manage.py export_dataset KEY`: a frozen dataset in a format that trainers read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from datasets_app import services
from datasets_app.exports import EXPORTS, PARQUET
from datasets_app.models import Dataset
from training.files import write_lines_atomic
from training.splits import SPLITS
from tunixrt.lib.commands import WRONG_USE
from tunixrt.lib.commands import Command as Base
from tunixrt.lib.errors import NotFound, Refused


class Command(Base):
    help = "Writes a frozen dataset as JSON lines, to a file or to standard output, or as a directory of Parquet."

    def add_options(self, parser) -> None:
        parser.add_argument("key")
        parser.add_argument("--format", choices=[*EXPORTS, PARQUET], default="trace")
        parser.add_argument("--split", choices=list(SPLITS), help="All splits when not given.")
        parser.add_argument(
            "--output", type=Path, help="Standard output when not given; with parquet the directory to be made."
        )

    def run(self, *, key: str, format: str, split: str | None, output: Path | None, **options: Any) -> dict:
        if format == PARQUET and output is None:
            raise CommandError("--format parquet wants --output DIRECTORY", returncode=WRONG_USE)
        dataset = Dataset.objects.with_key(key).first()
        if dataset is None:
            raise NotFound(f"There is no dataset {key!r}.")
        if output is None:
            for chunk in services.export_rows(dataset, format=format, split=split):
                self.stdout.write(chunk.decode(), ending="")
            return {}
        rows = self.written(dataset, format, split, output)
        return {"dataset_key": key, "format": format, "rows": rows, "output": str(output)}

    def written(self, dataset: Dataset, format: str, split: str | None, output: Path) -> int:
        """The number of rows, once they are at `output`."""
        try:
            if format == PARQUET:
                return services.export_parquet(dataset, output=output, split=split)
            write_lines_atomic(output, self.counted(services.export_rows(dataset, format=format, split=split)))
            return self.rows
        except OSError as error:
            raise Refused(f"{output} cannot be written: {error.strerror}", code="not_written")

    def counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        self.rows = 0
        for chunk in chunks:
            self.rows += chunk.count(b"\n")
            yield chunk
