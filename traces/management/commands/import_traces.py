from collections.abc import Iterable
from pathlib import Path

from traces import services
from traces.models import Import
from training.formats import FORMATS
from tunixrt.lib.commands import Command as BaseCommand
from tunixrt.lib.commands import ProgressLine
from tunixrt.lib.errors import NotFound, Refused


class Command(BaseCommand):
    help = (
        "Imports files of traces of any size, each as a whole or not at all: JSONL or one JSON list, also as .gz or "
        ".zst, and Parquet. Then looks for near-duplicates among them."
    )

    def add_options(self, parser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--format", default="auto", choices=("auto", *FORMATS))
        parser.add_argument("--source", default="", help="Noted on rows that do not name their own (the file's name).")
        parser.add_argument("--skip-bad", action="store_true", help="Keep the good rows; the bad ones go to a file.")
        parser.add_argument("--dry-run", action="store_true", help="Only tell what the first rows would become.")

    def run(self, files: list[Path], format: str, source: str, skip_bad: bool, dry_run: bool, **options) -> dict:
        if dry_run:
            return {"previews": [self.preview_one(path, format=format, source=source) for path in files]}
        imports: list[dict] = []
        for path in files:
            row = self.import_one(path, format=format, source=source, skip_bad=skip_bad)
            if row.status != Import.Status.DONE:
                done = f" Imported before it: {', '.join(done['file_name'] for done in imports)}." if imports else ""
                raise Refused(f"{path}: nothing of it was imported.{done}", code="invalid_file", faults=row.faults)
            rejected = str(row.rejected_path) if row.bad_count else None
            imports.append(row.to_dict() | {"rejected": rejected})
        return {"imports": imports}

    def preview_one(self, path: Path, **how) -> dict:
        try:
            with path.open("rb") as file:
                return {"file_name": path.name} | services.preview(file=file, file_name=path.name, **how).to_dict()
        except OSError as error:
            raise NotFound(f"{path}: {error.strerror}")

    def import_one(self, path: Path, **how) -> Import:
        progress = Progress(self.stderr, path.name)
        try:
            with path.open("rb") as file:
                return services.import_file(
                    file=file, file_name=path.name, at_once=True, by=None, watch=progress.show, **how
                )
        except OSError as error:
            raise NotFound(f"{path}: {error.strerror}")
        finally:
            progress.close()

    def show(self, result: dict) -> Iterable[str]:
        for found in result.get("previews", ()):
            yield f"{found['file_name']} ({found['format'] or 'of no known format'}): {rows_of(found)}"
            yield from (f"  {pair['column']} → {pair['becomes']}" for pair in found["mapping"])
            yield from (f"  line {error.get('line')}: {error['msg']}" for error in found["errors"])
        for row in result.get("imports", ()):
            counts = f"{row['stored_count']:,} stored, {row['duplicate_count']:,} known already"
            twins = f", {row['twin_count']:,} near-duplicates" if row["twin_count"] else ""
            yield f"{row['file_name']} ({row['format']}): {counts}, {row['bad_count']:,} bad{twins}"
            if row["rejected"]:
                yield f"  the bad rows with their reasons: {row['rejected']}"


class Progress:
    """How far each job is that is done for a file."""

    def __init__(self, out, name: str):
        self.out, self.name = out, name
        self.job, self.line = None, ProgressLine(out, name, None)

    def show(self, job) -> None:
        if job.pk != self.job:
            self.close()
            self.job, self.line = job.pk, ProgressLine(self.out, self.name, None)
        self.line.total = job.total
        self.line.show(job.done, job.message)

    def close(self) -> None:
        self.line.close()


def rows_of(preview: dict) -> str:
    which = "all" if preview["whole_file"] else "the first"
    return f"of {which} {preview['rows_read']:,} rows {preview['good_count']:,} are good, {preview['bad_count']:,} bad"
