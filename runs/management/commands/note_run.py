from typing import Any

from runs.management.run_command import RunCommand
from runs.models import Run
from runs.services import describe_run


class Command(RunCommand):
    help = "Writes the notes of a run; an empty text takes them away."
    done = "The notes of {name} are kept."

    def add_options(self, parser) -> None:
        super().add_options(parser)
        parser.add_argument("notes", help="at most 10,000 characters")

    def act(self, run: Run, options: dict[str, Any]) -> Run:
        return describe_run(run=run, notes=options["notes"])
