from typing import Any

from runs.management.run_command import RunCommand
from runs.models import Run
from runs.services import clone_run


class Command(RunCommand):
    help = "Launches a run of the same config, data, seed, engine and items as another, but for what is given."
    done = "{id}  {name} is a clone of {parent}."

    def add_options(self, parser) -> None:
        super().add_options(parser)
        parser.add_argument("--seed", type=int)
        parser.add_argument("--name")
        parser.add_argument("--dataset", dest="dataset_key", metavar="KEY")

    def act(self, run: Run, options: dict[str, Any]) -> Run:
        given = {name: options[name] for name in ("seed", "name", "dataset_key") if options[name] is not None}
        return clone_run(run=run, **given)
