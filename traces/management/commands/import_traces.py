from collections.abc import Iterable
from pathlib import Path

from traces import services
from traces.models import Import
from training.formats import FORMATS
from tunixrt.lib.commands import Command as BaseCommand
from tunixrt.lib.commands import ProgressLine
from tunixrt.lib.errors import NotFound, Refused


class Command(BaseCommand):
    help = "Imports files of traces, JSONL or one JSON list, of any size: each file as a whole or not at all."

    def add_options(self, parser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--format", default="auto", choices=("auto", *FORMATS))
        parser.add_argument("--source", default="", help="Noted on rows that do not name their own (the file's name).")
        parser.add_argument("--skip-bad", action="store_true", help="Keep the good rows; the bad ones go to a file.")

    def run(self, files: list[Path], format: str, source: str, skip_bad: bool, **options) -> dict:
        imports: list[dict] = []
        for path in files:
            row = self.import_one(path, format=format, source=source, skip_bad=skip_bad)
            if row.status != Import.Status.DONE:
                done = f" Imported before it: {', '.join(done['file_name'] for done in imports)}." if imports else ""
                raise Refused(f"{path}: nothing of it was imported.{done}", code="invalid_file", faults=row.faults)
            rejected = str(row.rejected_path) if row.bad_count else None
            imports.append(row.to_dict() | {"rejected": rejected})
        return {"imports": imports}

    def import_one(self, path: Path, **how) -> Import:
        line = ProgressLine(self.stderr, path.name, None)

        def watch(job) -> None:
            line.total = job.total
            line.show(job.done)

        try:
            with path.open("rb") as file:
                return services.import_file(file=file, file_name=path.name, at_once=True, by=None, watch=watch, **how)
        except OSError as error:
            raise NotFound(f"{path}: {error.strerror}")
        finally:
            line.close()

    def show(self, result: dict) -> Iterable[str]:
        for row in result["imports"]:
            counts = f"{row['stored_count']:,} stored, {row['duplicate_count']:,} known already"
            yield f"{row['file_name']} ({row['format']}): {counts}, {row['bad_count']:,} bad"
            if row["rejected"]:
                yield f"  the bad rows with their reasons: {row['rejected']}"
