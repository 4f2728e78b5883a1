from runs.management.run_command import RunCommand
from runs.services import resume_run


class Command(RunCommand):
    help = "Goes on from the newest checkpoint of a run that failed in training or was cancelled, as a new run."
    service = staticmethod(resume_run)
    done = "{id} resumes {parent}."
