from collections.abc import Iterable

from runs.services import compare_runs, find_run
from training.errors import echo
from training.results import verdict
from training.slices import NOT_TOLD_APART
from tunixrt.lib.commands import Command as BaseCommand


class Command(BaseCommand):
    help = "Compares two runs on the items both were examined on."

    def add_options(self, parser) -> None:
        parser.add_argument("base")
        parser.add_argument("other")

    def run(self, *, base, other, **options) -> dict:
        found = compare_runs(base=find_run(base), other=find_run(other))
        differs = [{"path": path, "base": mine, "other": theirs} for path, mine, theirs in found.config]
        results = {"verdict": verdict(found.results), "results": found.results.to_dict(), "config": differs}
        return results | found.decided.to_dict()

    def show(self, result: dict) -> Iterable[str]:
        yield f"{result['decision']}: {result['reason']}"
        yield result["verdict"]
        yield from (slice_line(each) for each in result["slices"] if each["mark"] != NOT_TOLD_APART)
        yield from (f"{row['path']}: {row['base']} → {row['other']}" for row in result["config"])


def slice_line(each: dict) -> str:
    counts = f"{each['won']} won, {each['lost']} lost of {each['n']}"
    return f"{each['mark']} on {each['dimension']} {echo(each['label'])}: {counts}"
