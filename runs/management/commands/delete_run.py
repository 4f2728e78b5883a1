from runs.management.removal_command import RemovalCommand
from runs.services import delete_run


class Command(RemovalCommand):
    help = "Removes a closed run with its files, examinations and answers. Shows first what would go; --yes does it."
    service = staticmethod(delete_run)
    removal = "delete"
