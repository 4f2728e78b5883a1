from collections.abc import Iterable

from traces import services, ungar
from traces.services import episodes
from training.errors import Fault, Invalid
from training.problems import PROBLEMS, generate_traces
from tunixrt.lib.commands import Command as BaseCommand

COUNTS = range(1, 1_000_001)
UNGAR_TASKS = {f"ungar:{task}": task for task in ungar.TASKS}


class Command(BaseCommand):
    help = "Makes problems with worked steps. The same arguments give the same traces, which are stored only once."

    def add_options(self, parser) -> None:
        known = "; ".join(f"{problem.name}: {problem.description}" for problem in PROBLEMS.values())
        parser.add_argument("problem", help=f"{known}; {', '.join(UNGAR_TASKS)}: episodes of UNGAR's High Card Duel.")
        parser.add_argument("--count", type=int, required=True)
        parser.add_argument("--seed", type=int, required=True)
        parser.add_argument("--difficulty", type=int, help="The problem's own by default.")

    def run(self, problem: str, count: int, seed: int, difficulty: int | None, **options) -> dict:
        if problem in UNGAR_TASKS:
            ids, new = self.play(UNGAR_TASKS[problem], count, seed, difficulty)
        else:
            payloads = generate_traces(problem, count=count, seed=seed, difficulty=difficulty)
            ids, new = services.store_stable_traces(payloads=self.progress(payloads, count, "traces"), by=None)
        return {"problem": problem, "seed": seed, "count": len(ids), "new": new}

    def play(self, task: str, count: int, seed: int, difficulty: int | None) -> tuple[list, int]:
        if difficulty is not None:
            raise Invalid(Fault(("difficulty",), "UNGAR's episodes have none; leave it out", "unknown_field"))
        wanted = episodes.read_request({"task": task, "count": count, "seed": seed}, counts=COUNTS)
        return episodes.store(wanted, by=None, watch=lambda traces: self.progress(traces, count, "traces"))

    def show(self, result: dict) -> Iterable[str]:
        known = result["count"] - result["new"]
        yield f"{result['count']:,} traces of {result['problem']}: {result['new']:,} new, {known:,} known already"
