from collections.abc import Iterable
from pathlib import Path

from runs.exports import EXPORTS, write_export
from runs.services import find_run
from tunixrt.lib.commands import Command as BaseCommand
from tunixrt.lib.errors import Refused


class Command(BaseCommand):
    help = "Writes a run's examinations as a report in one HTML file, or as lm-evaluation-harness writes its results."

    def add_options(self, parser) -> None:
        parser.add_argument("run_id")
        parser.add_argument("--format", choices=list(EXPORTS), default="html")
        parser.add_argument("--output", type=Path, default=Path(), help="The directory that they are written below.")

    def run(self, *, run_id, format, output, **options) -> dict:
        try:
            files = write_export(find_run(run_id), format, output)
        except OSError as error:
            raise Refused(f"{output} cannot be written: {error.strerror}", code="not_written")
        return {"run_id": run_id, "format": format, "files": [str(path) for path in files]}

    def show(self, result: dict) -> Iterable[str]:
        return result["files"]
