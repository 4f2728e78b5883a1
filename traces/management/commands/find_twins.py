from collections.abc import Iterable

from traces import services
from traces.models import Twin
from tunixrt.lib.commands import Command as BaseCommand
from tunixrt.lib.commands import ProgressLine
from tunixrt.lib.errors import Conflict


class Command(BaseCommand):
    help = "Looks for near-duplicates among the traces that were not compared yet. Imported ones are compared by then."

    def run(self, **options) -> dict:
        before = Twin.objects.count()
        line = ProgressLine(self.stderr, "looking for near-duplicates", None)

        def watch(job) -> None:
            line.total = job.total
            line.show(job.done)

        job = services.find_twins(by=None, at_once=True, watch=watch)
        line.close()
        if job.is_open:
            raise Conflict("A worker is looking for near-duplicates right now. Wait until it is done.", code="running")
        if job.status != job.Status.DONE:
            raise Conflict(f"The search ended early: {job.error}", code="search_failed")
        return {"compared": job.done, "new": Twin.objects.count() - before}

    def show(self, result: dict) -> Iterable[str]:
        yield f"{result['compared']:,} traces compared: {result['new']:,} near-duplicates more than before"
