"""What the database says of runs, for `hand`."""

from typing import Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.test import Client
from knox.models import AuthToken

from runs.models import Run
from runs.services import cancel_run, launch_run
from tunixrt import state  # noqa: F401 (for those who look)
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Conflict


def launch(dataset_key: str, seed: int, steps: int, every: int) -> str:
    config = {
        "model": {"size": "tiny"},
        "tokenizer": {"vocab_size": 300},
        "training": {"steps": steps, "batch_size": 2},
        "eval": {"every": steps, "max_new_tokens": 16},
        "checkpoint": {"every": every, "keep": 2},
    }
    return str(launch_run(dataset_key=dataset_key, config=config, seed=seed, name=f"seed {seed}").pk)


def cancel(run_id: str) -> str:
    """Asks for a cancel; returns what was answered."""
    try:
        cancel_run(run=Run.objects.get(pk=run_id))
    except Conflict as conflict:
        return conflict.detail
    return "asked"


def somebody() -> dict[str, str]:
    """The headers of a new person who is signed in and has a token."""
    user = get_user_model().objects.create_user(f"ada {uuid4()}")
    browser = Client()
    browser.force_login(user)
    cookie = f"sessionid={browser.cookies['sessionid'].value}"
    return {"Authorization": f"Token {AuthToken.objects.create(user)[1]}", "Cookie": cookie}


def look(run_id: str) -> dict[str, Any]:
    """Everything that is to be true of a run that ended."""
    run = Run.objects.select_related("dataset").get(pk=run_id)
    jobs = Job.objects.for_target(run.pk).values("kind", "status", "owner", "attempt", "stalls", "error")
    return {
        **{name: getattr(run, name) for name in ("status", "error", "attempt", "metrics", "seed")},
        "steps": run.config["training"]["steps"],
        "rows_sha256": run.dataset.content_sha256,
        "directory": str(run.directory),
        "events": list(run.events.values_list("from_status", "to_status", "reason")),
        "jobs": list(jobs),
        "transitions": [(origin, to) for origin, after in Run.TRANSITIONS.items() for to in after],
        "examinations": sorted(run.evaluations.current().values_list("stage", flat=True)),
    }


def cancelled_at_once(dataset_key: str, seeds: list[int]) -> list[str]:
    """Runs that were cancelled while they waited, were just claimed, or a moment after."""
    run_ids = []
    for seed in seeds:
        run_ids.append(launch(dataset_key, seed, 16, 4))
        assert cancel(run_ids[-1]) == "asked"
    return run_ids
