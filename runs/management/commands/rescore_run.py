from runs.management.run_command import RunCommand
from runs.services import rescore_run


class Command(RunCommand):
    help = "Judges a run's answers again by the judges of today. A worker does it; no model is asked."
    service = staticmethod(rescore_run)
    done = "{name} will be judged again."
