from runs.management.run_command import RunCommand
from runs.services import evaluate_run


class Command(RunCommand):
    help = "Examines a trained run again. A worker does it; the new rows replace the present ones."
    service = staticmethod(evaluate_run)
    done = "{name} will be examined again."
