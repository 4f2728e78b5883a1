"""What every face asks of this room."""

from runs.services.actions import (
    RESUMED,
    RETRIED,
    TRAINED,
    cancel_run,
    evaluate_run,
    replay_run,
    resume_run,
    retry_run,
)
from runs.services.comparing import RunComparison, Standing, compare_runs, config_difference, leaderboard
from runs.services.finding import find_evalset, find_run
from runs.services.launching import MAX_NAME, absent_engines, launch_run, plan_run

__all__ = [
    "MAX_NAME",
    "RESUMED",
    "RETRIED",
    "TRAINED",
    "RunComparison",
    "Standing",
    "absent_engines",
    "cancel_run",
    "compare_runs",
    "config_difference",
    "evaluate_run",
    "find_evalset",
    "find_run",
    "launch_run",
    "leaderboard",
    "plan_run",
    "replay_run",
    "resume_run",
    "retry_run",
]
