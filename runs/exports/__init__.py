"""What an examination is handed on as: files that other tools read, and a report that people read without this one."""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from django.conf import settings

from runs.exports.lm_eval import lm_eval_of
from runs.exports.report import report_of
from runs.models import Run
from training.errors import Fault, Invalid, echo
from training.files import write_atomic
from tunixrt.lib.errors import Conflict

__all__ = ["EXPORTS", "Download", "Export", "download", "write_export"]

ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same examination is the same zip
Files = Iterator[tuple[PurePosixPath, str]]


class Export(NamedTuple):
    """A way to hand an examination on: its title, what it is for, and the files that it has."""

    title: str
    about: str
    files: Callable[[Run], Files]
    is_one_file: bool = False


class Download(NamedTuple):
    """An export as a browser takes it."""

    file: BinaryIO
    name: str
    content_type: str


EXPORTS = {
    "html": Export("Report", "One page that needs neither this program nor a network.", report_of, is_one_file=True),
    "lm_eval": Export(
        "lm-evaluation-harness", "Results and samples as its own tools read them, a directory a checkpoint.", lm_eval_of
    ),
}


def download(run: Run, format: str) -> Download:
    """The export as one file without a name on the disk: the page, or a zip of all files.

    Raises Invalid for an unknown format, Conflict when the run has not been examined.
    """
    export = find_export(format)
    files, file = _files(export, run), TemporaryFile(dir=settings.TUNIXRT_HOME)  # noqa: SIM115 (whoever sends it closes it)
    if export.is_one_file:
        path, text = next(files)
        file.write(text.encode())
        name, kind = path.name, "text/html; charset=utf-8"
    else:
        _zip(files, file)
        name, kind = f"{format}-{str(run.pk)[-8:]}.zip", "application/zip"
    file.seek(0)
    return Download(file, name, kind)


def write_export(run: Run, format: str, output: Path) -> list[Path]:
    """Writes the files of the export below the directory `output`, each whole or not at all. Raises as `download`."""
    written = []
    for path, text in _files(find_export(format), run):
        write_atomic(output / path, text)
        written.append(output / path)
    return written


def find_export(format: str) -> Export:
    """The export of that name. Raises Invalid when there is none."""
    if format not in EXPORTS:
        msg = f"must be one of {', '.join(EXPORTS)}, not {echo(format)}"
        raise Invalid(Fault(("format",), msg, "unknown_format"))
    return EXPORTS[format]


def _files(export: Export, run: Run) -> Files:
    if not run.evaluations.current().exists():
        raise Conflict(f"{run} has not been examined: it is {run.state}.", code="not_examined")
    return export.files(run)


def _zip(files: Files, file: BinaryIO) -> None:
    with ZipFile(file, "w") as archive:
        for path, text in files:
            archive.writestr(ZipInfo(str(path), ZIP_TIME), text, ZIP_DEFLATED)
