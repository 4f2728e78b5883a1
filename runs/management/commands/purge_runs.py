from collections.abc import Iterable
from typing import Any

from django.template.defaultfilters import filesizeformat

from runs.management.removal_command import row
from runs.models import Run
from runs.services import preview_removal, purge_runs, runs_to_purge
from training.errors import Fault, Invalid, echo
from tunixrt.lib.commands import Command as BaseCommand

CLOSED = [status for status in Run.Status.values if status not in Run.OPEN]
MOST_DAYS = 36_500


class Command(BaseCommand):
    help = "Purges closed runs that ended long ago: their checkpoints go. Shows first which; --yes does it."

    def add_options(self, parser) -> None:
        parser.add_argument("--older-than", type=int, required=True, metavar="DAYS", help="since the run ended")
        parser.add_argument("--status", action="append", choices=CLOSED, help="only these; can be repeated")
        parser.add_argument("--keep-tag", action="append", metavar="TAG", help="not those with it; can be repeated")
        parser.add_argument("--yes", action="store_true", help="do it; without, only what would go is shown")

    def run(self, *, older_than: int, status: list[str] | None, keep_tag: list[str] | None, yes: bool, **options):
        if not 0 <= older_than <= MOST_DAYS:
            msg = f"must lie between 0 and {MOST_DAYS} days, not {echo(older_than)}"
            raise Invalid(Fault(("older_than",), msg, "number_out_of_range"))
        runs = runs_to_purge(older_than_days=older_than, statuses=status, keep_tags=keep_tag)
        if yes:
            found = [preview.to_dict() | {"refused": refused} for preview, refused in purge_runs(runs=runs)]
        else:
            found = [preview_removal(run=run, removal=Run.Removal.PURGE).to_dict() | {"refused": ""} for run in runs]
        gone = sum(each["bytes"] for each in found if not (each["refused"] or each["held_by"]))
        return {"runs": found, "bytes": gone, "done": yes}

    def show(self, result: dict[str, Any]) -> Iterable[str]:
        yield from (f"{row(each)}  {each['refused']}".rstrip() for each in result["runs"])
        count, size = len(result["runs"]), filesizeformat(result["bytes"]).replace(chr(160), " ")
        end = "are gone" if result["done"] else "would go: --yes does it"
        yield f"{count:,} run{'' if count == 1 else 's'}, {size} {end}."
