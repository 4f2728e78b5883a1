from collections.abc import Iterable

from runs.management.run_command import RunCommand
from runs.services import evaluate_run


class Command(RunCommand):
    help = "Examines a trained run again. A worker does it; the new rows replace the present ones."
    service = staticmethod(evaluate_run)
    done = "{name} will be examined again."

    def show(self, result: dict) -> Iterable[str]:
        yield from super().show(result)
        if decision := result["metrics"].get("decision"):
            yield f"Its present examination says {decision}."
