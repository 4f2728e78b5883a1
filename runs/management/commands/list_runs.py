from collections.abc import Iterable

from runs.models import Run
from training.errors import Fault, Invalid, echo
from tunixrt.lib.commands import Command as BaseCommand

MOST = 1000


class Command(BaseCommand):
    help = "Lists runs, newest first."

    def add_options(self, parser) -> None:
        parser.add_argument("--status", choices=Run.Status.values)
        parser.add_argument("--limit", type=int, default=20, help="from 1 to 1000 (default 20)")

    def run(self, *, status, limit, **options) -> dict:
        if not 1 <= limit <= MOST:
            raise Invalid(Fault(("limit",), f"must lie between 1 and {MOST}, not {echo(limit)}", "number_out_of_range"))
        runs = Run.objects.with_dataset().newest_first()
        chosen = runs.filter(status=status) if status else runs
        return {"runs": [run.to_dict() for run in chosen[:limit]]}

    def show(self, result: dict) -> Iterable[str]:
        for run in result["runs"]:
            right = run["metrics"].get("answer_correctness")
            share = "" if right is None else f"{100 * right:.1f} % right"
            yield f"{run['id']}  {run['status']:<17} {share:<13} {run['dataset_key']}  {run['name']}"
