from collections.abc import Iterable

from runs.filters import CHOICES, filtered_runs
from training.errors import Fault, Invalid, echo
from tunixrt.lib.commands import Command as BaseCommand

MOST = 1000


class Command(BaseCommand):
    help = "Lists runs, newest first."

    def add_options(self, parser) -> None:
        parser.add_argument("--status", choices=CHOICES["status"])
        parser.add_argument("--dataset", dest="dataset_key", metavar="KEY")
        parser.add_argument("--tag")
        parser.add_argument("--q", metavar="TEXT", help="part of a name or an id")
        parser.add_argument("--archived", choices=CHOICES["archived"], help="archived runs are left out when not given")
        parser.add_argument("--limit", type=int, default=20, help="from 1 to 1000 (default 20)")

    def run(self, *, limit, **options) -> dict:
        if not 1 <= limit <= MOST:
            raise Invalid(Fault(("limit",), f"must lie between 1 and {MOST}, not {echo(limit)}", "number_out_of_range"))
        return {"runs": [run.to_dict() for run in filtered_runs(options)[:limit]]}

    def show(self, result: dict) -> Iterable[str]:
        for run in result["runs"]:
            right = run["metrics"].get("answer_correctness")
            share = "" if right is None else f"{100 * right:.1f} % right"
            decision = run["metrics"].get("decision", "")
            yield f"{run['id']}  {run['status']:<17} {share:<13} {decision:<5} {run['dataset_key']}  {run['name']}"
