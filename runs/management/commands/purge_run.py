from runs.management.removal_command import RemovalCommand
from runs.services import purge_run


class Command(RemovalCommand):
    help = "Removes the checkpoints of a closed run; the rest stays. Shows first what would go; --yes does it."
    service = staticmethod(purge_run)
    removal = "purge"
