from collections.abc import Iterable

from tunixrt.jobs.services import drain_worker
from tunixrt.lib.commands import Command as BaseCommand


class Command(BaseCommand):
    help = "Asks a worker to hand its work back at a checkpoint and to stop."

    def add_options(self, parser) -> None:
        parser.add_argument("name", help="Host and process, as the page of workers and `doctor` show them.")

    def run(self, *, name, **options) -> dict:
        return drain_worker(name=name).to_dict()

    def show(self, result: dict) -> Iterable[str]:
        yield f"{result['name']} hands back what it does at its next checkpoint and stops."
