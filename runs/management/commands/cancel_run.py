from runs.management.run_command import RunCommand
from runs.services import cancel_run


class Command(RunCommand):
    help = "Cancels a run that is open: at once while it waits, else as soon as its worker notices."
    service = staticmethod(cancel_run)
    done = "{name} is {status}; one that a worker holds stops as soon as it notices."
