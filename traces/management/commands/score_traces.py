from collections.abc import Iterable

from traces import services
from traces.filters import read_filters
from traces.models import Trace
from traces.scorers import SCORERS
from tunixrt.lib.commands import Command as BaseCommand


class Command(BaseCommand):
    help = "Scores traces; a score by the same scorer and version is replaced."

    def add_options(self, parser) -> None:
        parser.add_argument("--scorer", default="baseline", choices=tuple(SCORERS))
        parser.add_argument("--source", help="Only the traces of this source.")

    def run(self, scorer: str, source: str | None, **options) -> dict:
        filters = read_filters({} if source is None else {"source": source})
        traces = Trace.objects.visible().matching(filters)
        return {"scorer": scorer, "scored": services.score_traces(traces=traces, scorer=scorer, by=None)}

    def show(self, result: dict) -> Iterable[str]:
        yield f"{result['scored']:,} traces scored by {result['scorer']}"
