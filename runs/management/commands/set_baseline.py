from runs.management.run_command import RunCommand
from runs.services import set_baseline


class Command(RunCommand):
    help = "Makes a run the baseline of its evalset: what compare_runs --gate holds others against."
    service = staticmethod(set_baseline)
    done = "{name} ({id}) is the baseline of its evalset now."
