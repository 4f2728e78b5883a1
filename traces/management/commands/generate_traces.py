from collections.abc import Iterable

from traces import services
from training.problems import PROBLEMS, generate_traces
from tunixrt.lib.commands import Command as BaseCommand


class Command(BaseCommand):
    help = "Makes problems with worked steps. The same arguments give the same traces, which are stored only once."

    def add_options(self, parser) -> None:
        known = "; ".join(f"{problem.name}: {problem.description}" for problem in PROBLEMS.values())
        parser.add_argument("problem", help=known)
        parser.add_argument("--count", type=int, required=True)
        parser.add_argument("--seed", type=int, required=True)
        parser.add_argument("--difficulty", type=int, help="The problem's own by default.")

    def run(self, problem: str, count: int, seed: int, difficulty: int | None, **options) -> dict:
        payloads = generate_traces(problem, count=count, seed=seed, difficulty=difficulty)
        ids, new = services.store_stable_traces(payloads=self.progress(payloads, count, "traces"), by=None)
        return {"problem": problem, "seed": seed, "count": len(ids), "new": new}

    def show(self, result: dict) -> Iterable[str]:
        known = result["count"] - result["new"]
        yield f"{result['count']:,} traces of {result['problem']}: {result['new']:,} new, {known:,} known already"
