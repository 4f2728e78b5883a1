"""What the two commands share that remove something of runs."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.template.defaultfilters import filesizeformat

from runs.services import find_run, preview_removal
from tunixrt.lib.commands import Command as BaseCommand


class RemovalCommand(BaseCommand):
    """Shows what a removal would take; `--yes` does it."""

    service: ClassVar[Callable[..., Any]]
    removal: ClassVar[str]

    def add_options(self, parser) -> None:
        parser.add_argument("run_id")
        parser.add_argument("--yes", action="store_true", help="do it; without, only what would go is shown")

    def run(self, *, run_id: str, yes: bool, **options: Any) -> dict:
        run = find_run(run_id)
        preview = preview_removal(run=run, removal=self.removal).to_dict()
        left = type(self).service(run=run) if yes else None
        going = bool(left and left.removal)
        return preview | {"done": yes and not going, "going": going}

    def show(self, result: dict) -> Iterable[str]:
        yield row(result)
        if result["going"]:
            yield f"It is being {result['removal']}d: a worker goes on with it."
        elif not result["done"]:
            yield "Nothing was removed: --yes does it."


def row(preview: dict[str, Any]) -> str:
    """One line of a table of what goes."""
    held = "; ".join(f"held by {holder['name']} ({holder['id']})" for holder in preview["held_by"])
    held = held or ("the baseline of its evalset" if preview["baseline_of"] else "")
    answers = f"{preview['predictions']:,} answers" if preview["predictions"] else ""
    figures = f"{preview['files']:>6,} files  {filesizeformat(preview['bytes']).replace(chr(160), ' '):>10}"
    return "  ".join(filter(None, (str(preview["id"]), figures, answers, preview["name"], held)))
