from collections.abc import Iterable

from runs.services import cancel_run, find_run
from tunixrt.lib.commands import Command as BaseCommand


class Command(BaseCommand):
    help = "Cancels a run that is open."

    def add_options(self, parser) -> None:
        parser.add_argument("run_id")

    def run(self, *, run_id, **options) -> dict:
        run = find_run(run_id)
        cancel_run(run=run)
        run.refresh_from_db()
        return run.to_dict()

    def show(self, result: dict) -> Iterable[str]:
        if result["status"] == "cancelled":
            return [f"{result['name']} is cancelled."]
        return [f"{result['name']} will stop as soon as its worker notices."]
