from collections.abc import Iterable

from traces import services
from traces.filters import read_query
from traces.scorers import SCORERS
from training.errors import Fault, Invalid, echo
from tunixrt.jobs.models import Job
from tunixrt.lib.commands import Command as BaseCommand
from tunixrt.lib.commands import ProgressLine
from tunixrt.lib.errors import Refused


class Command(BaseCommand):
    help = "Scores traces. Those that have the score already keep it, so it can be stopped and called again."

    def add_options(self, parser) -> None:
        known = "; ".join(f"{scorer.name}: {scorer.title}" for scorer in SCORERS.values())
        parser.add_argument("--scorer", default="baseline", choices=(*SCORERS, services.ALL), help=f"{known} Or all.")
        parser.add_argument("--source", help="Only the traces of this source.")
        parser.add_argument(
            "--filter",
            action="append",
            default=[],
            dest="filters",
            metavar="NAME=VALUE",
            help="Only the traces that pass; can be repeated. The names are those of the page: tag, q, meta.KEY, …",
        )

    def run(self, scorer: str, source: str | None, filters: list[str], **options) -> dict:
        given = dict(map(read_filter, filters)) | ({} if source is None else {"source": source})
        line = ProgressLine(self.stderr, "scored", None)

        def watch(job: Job) -> None:
            line.total = job.total
            line.show(job.done)

        try:
            scoring = services.begin_scoring(
                scorers=[scorer], filters=read_query(given), by=None, at_once=True, watch=watch
            )
        finally:
            line.close()
        job = scoring.job
        if job is None or job.status != Job.Status.DONE:
            raise Refused(f"Not all was scored: {job.error if job else ''}", code="failed")
        return {"scorer": scorer, "traces": job.done, "scored": scoring.scored_count}

    def show(self, result: dict) -> Iterable[str]:
        yield f"{result['traces']:,} traces scored by {result['scorer']}, {result['scored']:,} scores are new"


def read_filter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Invalid(Fault(("filter",), f"{echo(text)} is not of the form NAME=VALUE", "wrong_value"))
    return name, value
