from collections.abc import Iterable

from runs.services import compare_runs, find_run
from training.results import verdict
from tunixrt.lib.commands import Command as BaseCommand


class Command(BaseCommand):
    help = "Compares two runs on the items both were examined on."

    def add_options(self, parser) -> None:
        parser.add_argument("base")
        parser.add_argument("other")

    def run(self, *, base, other, **options) -> dict:
        found = compare_runs(base=find_run(base), other=find_run(other))
        differs = [{"path": path, "base": mine, "other": theirs} for path, mine, theirs in found.config]
        return {"verdict": verdict(found.results), "results": found.results.to_dict(), "config": differs}

    def show(self, result: dict) -> Iterable[str]:
        yield result["verdict"]
        yield from (f"{row['path']}: {row['base']} → {row['other']}" for row in result["config"])
