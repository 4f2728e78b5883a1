"""What every face asks of this room."""

from runs.services.actions import (
    RESUMED,
    RETRIED,
    TRAINED,
    cancel_run,
    clone_run,
    evaluate_run,
    replay_run,
    rescore_run,
    resume_run,
    retry_run,
)
from runs.services.baselines import set_baseline
from runs.services.comparing import (
    ItemComparison,
    RunComparison,
    answers_beside,
    compare_item,
    compare_runs,
    config_difference,
)
from runs.services.describing import MAX_NOTES, describe_run, tag_run, untag_run
from runs.services.disposing import (
    Preview,
    archive_run,
    delete_run,
    preview_removal,
    purge_run,
    purge_runs,
    runs_to_purge,
    unarchive_run,
)
from runs.services.finding import find_evalset, find_run
from runs.services.gating import Gated, baseline_of, gate_run
from runs.services.history import History, Record, history
from runs.services.launching import MAX_NAME, absent_engines, launch_run, plan_run
from runs.services.leaderboard import Leaderboard, Standing, leaderboard
from runs.services.promoting import Promotion, generated, promote_prediction, split_of_item

__all__ = [
    "MAX_NAME",
    "MAX_NOTES",
    "RESUMED",
    "RETRIED",
    "TRAINED",
    "Gated",
    "History",
    "ItemComparison",
    "Leaderboard",
    "Preview",
    "Promotion",
    "Record",
    "RunComparison",
    "Standing",
    "absent_engines",
    "answers_beside",
    "archive_run",
    "baseline_of",
    "cancel_run",
    "clone_run",
    "compare_item",
    "compare_runs",
    "config_difference",
    "delete_run",
    "describe_run",
    "evaluate_run",
    "find_evalset",
    "find_run",
    "gate_run",
    "generated",
    "history",
    "launch_run",
    "leaderboard",
    "plan_run",
    "preview_removal",
    "promote_prediction",
    "purge_run",
    "purge_runs",
    "replay_run",
    "rescore_run",
    "resume_run",
    "retry_run",
    "runs_to_purge",
    "set_baseline",
    "split_of_item",
    "tag_run",
    "unarchive_run",
    "untag_run",
]
