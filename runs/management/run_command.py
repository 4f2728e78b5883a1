"""What the commands share that do one thing with one run."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from runs.models import Run
from runs.services import find_run
from tunixrt.lib.commands import Command as BaseCommand


class RunCommand(BaseCommand):
    """Calls `service` with the run that is named and prints the run that it concerns then.

    `done` is the sentence for a person, with the fields of that run in braces.
    """

    service: ClassVar[Callable[..., Run | None]]
    done: ClassVar[str]

    def add_options(self, parser) -> None:
        parser.add_argument("run_id")

    def run(self, *, run_id: str, **options: Any) -> dict:
        run = find_run(run_id)
        concerned = self.act(run, options) or run
        return Run.objects.with_tags().get(pk=concerned.pk).to_dict()

    def act(self, run: Run, options: dict[str, Any]) -> Run | None:
        """Does it. A subclass with options of its own passes them on."""
        return type(self).service(run=run)

    def show(self, result: dict) -> Iterable[str]:
        return [self.done.format(**result)]
