from typing import Any

from runs.management.run_command import RunCommand
from runs.models import Run
from runs.services import tag_run, untag_run


class Command(RunCommand):
    help = "Puts a tag on a run, or takes it off with --remove."
    done = "{name}: {tags}"

    def add_options(self, parser) -> None:
        super().add_options(parser)
        parser.add_argument("tag")
        parser.add_argument("--remove", action="store_true", help="take it off")

    def act(self, run: Run, options: dict[str, Any]) -> Run:
        return (untag_run if options["remove"] else tag_run)(run=run, tag=options["tag"])
