from runs.management.run_command import RunCommand
from runs.services import unarchive_run


class Command(RunCommand):
    help = "Takes a run back from the archive."
    service = staticmethod(unarchive_run)
    done = "{name} is in the lists again."
