from collections.abc import Iterable

from runs.services import evaluate_run, find_run
from tunixrt.lib.commands import Command as BaseCommand


class Command(BaseCommand):
    help = "Examines a trained run again. A worker does it; the new rows replace the present ones."

    def add_options(self, parser) -> None:
        parser.add_argument("run_id")

    def run(self, *, run_id, **options) -> dict:
        return evaluate_run(run=find_run(run_id)).to_dict()

    def show(self, result: dict) -> Iterable[str]:
        return [f"{result['name']} will be examined again."]
