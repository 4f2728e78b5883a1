import time
from collections.abc import Iterable

from runs.models import Run
from runs.services import find_run, replay_run
from tunixrt.lib.commands import DONE, GATE_SAID_NO, ProgressLine
from tunixrt.lib.commands import Command as BaseCommand
from tunixrt.lib.errors import Refused


class Command(BaseCommand):
    help = "Does a trained run again. With --verify, waits for it and says where the two differ, if they do (exit 3)."

    def add_options(self, parser) -> None:
        parser.add_argument("run_id")
        parser.add_argument("--verify", action="store_true", help="wait, and tell whether the same came out")

    def run(self, *, run_id, verify, **options) -> dict:
        run = replay_run(run=find_run(run_id))
        if verify:
            self.wait(run)
            if run.replay is None:
                raise Refused(f"The replay {run.pk} is {run.state}: {run.error}")
            self.exit_code = DONE if run.replay["same"] else GATE_SAID_NO
        return run.to_dict()

    def wait(self, run: Run) -> None:
        line = ProgressLine(self.stderr, "replaying", None)
        while run.is_open:
            time.sleep(1)
            run.refresh_from_db()
            line.show(run.job.done if run.job else 0, run.state)
        line.close()

    def show(self, result: dict) -> Iterable[str]:
        if result["replay"] is None:
            return [f"{result['id']} replays {result['parent']}."]
        return [result["replay"]["headline"], *result["replay"]["sentences"]]
