from runs.management.run_command import RunCommand
from runs.services import archive_run


class Command(RunCommand):
    help = "Hides a closed run from lists and choices."
    service = staticmethod(archive_run)
    done = "{name} is archived."
