from runs.management.run_command import RunCommand
from runs.services import retry_run


class Command(RunCommand):
    help = "Does a run again that failed or was cancelled, from the start, as a new run."
    service = staticmethod(retry_run)
    done = "{id} retries {parent}."
