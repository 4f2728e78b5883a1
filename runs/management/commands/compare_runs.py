from argparse import ArgumentTypeError
from collections.abc import Iterable

from django.core.management.base import CommandError

from runs.services import compare_runs, find_run, gate_run
from training.errors import Invalid, echo
from training.gate import read_margin
from training.results import verdict
from training.slices import NOT_TOLD_APART
from tunixrt.lib.commands import DONE, GATE_SAID_NO, WRONG_USE
from tunixrt.lib.commands import Command as BaseCommand


def points(text: str) -> float:
    try:
        return read_margin(text)
    except Invalid as invalid:
        raise ArgumentTypeError(invalid.faults[0].msg)


class Command(BaseCommand):
    help = (
        "Compares two runs on the items both were examined on. With --gate, says whether OTHER is surely worse than "
        "BASE, or than the baseline of its evalset (exit 3)."
    )

    def add_options(self, parser) -> None:
        parser.add_argument("base", nargs="?", help="with --gate, the baseline of OTHER's evalset unless it is given")
        parser.add_argument("other")
        parser.add_argument("--gate", action="store_true", help="exit 3 when OTHER is surely worse")
        parser.add_argument("--margin", type=points, metavar="POINTS", help="with --gate: so much worse is allowed")

    def run(self, *, base, other, gate, margin, **options) -> dict:
        if gate:
            gated = gate_run(run=find_run(other), base=find_run(base) if base else None, margin=margin or 0.0)
            self.exit_code = DONE if gated.gate.passed else GATE_SAID_NO
            return gated.to_dict()
        if base is None or margin is not None:
            wrong = "--margin goes with --gate." if base else "Give two runs, or --gate with one."
            raise CommandError(wrong, returncode=WRONG_USE)
        found = compare_runs(base=find_run(base), other=find_run(other))
        differs = [{"path": path, "base": mine, "other": theirs} for path, mine, theirs in found.config]
        results = {"verdict": verdict(found.results), "results": found.results.to_dict(), "config": differs}
        return results | found.decided.to_dict()

    def show(self, result: dict) -> Iterable[str]:
        if "passed" in result:
            yield result["reason"]
            return
        yield f"{result['decision']}: {result['reason']}"
        yield result["verdict"]
        names = ("won", "lost", "kept_right", "kept_wrong", "skipped")
        yield ", ".join(f"{result['results'][name]} {name.replace('_', ' ')}" for name in names)
        yield from (slice_line(each) for each in result["slices"] if each["mark"] != NOT_TOLD_APART)
        yield from (f"{row['path']}: {row['base']} → {row['other']}" for row in result["config"])


def slice_line(each: dict) -> str:
    counts = f"{each['won']} won, {each['lost']} lost of {each['n']}"
    return f"{each['mark']} on {each['dimension']} {echo(each['label'])}: {counts}"
