"""What a poll of a run's page costs the server: `python -m tests.benchmarks.polls`.

Processor time of one process that answers through all of Django on SQLite, for a run with a thousand lines of metrics:
when nothing is new, when somebody else was told already, and with news. Medians.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median

LINES, BAR_MS = 1000, 10.0


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "TUNIXRT_HOME": home,
            "DJANGO_SETTINGS_MODULE": "tunixrt.settings",
            "ALLOWED_HOSTS": "testserver",
        }
        for name in ("DATABASE_URL", "CELERY_BROKER_URL"):
            os.environ.pop(name, None)
        import django

        django.setup()
        figures = {name: milliseconds(poll) for name, poll in polls().items()}
    for name, cost in figures.items():
        verdict = "ok" if cost <= BAR_MS else "missed"
        print(
            json.dumps({"work": f"poll_{name}", "unit": "ms", "ours": round(cost, 2), "bar": f"{BAR_MS:g} {verdict}"})
        )
    return 0


def polls() -> dict[str, Callable[[], object]]:
    """Each kind of poll of a run under way, by name."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.test import Client

    from datasets_app.services import seed_dataset
    from runs.services import launch_run
    from tests.runs.making import TINY, begin, write_losses

    call_command("migrate", verbosity=0)
    run = launch_run(dataset_key=seed_dataset(key="chain-test", count=60, seed=1).key, config=TINY, seed=5)
    begin(run).tick(1, LINES, "training")
    write_losses(run, [4 / (step + 1) ** 0.5 for step in range(LINES)])
    client, address = Client(), f"/runs/{run.pk}/live/"
    client.force_login(get_user_model().objects.create_user("ada"))
    tag = {"If-None-Match": client.get(address)["ETag"]}

    def with_news() -> None:
        write_losses(run, [0.1])
        client.get(address)

    return {
        "unchanged": lambda: client.get(address, headers=tag),
        "told_already": lambda: client.get(address),
        "with_news": with_news,
    }


def milliseconds(poll: Callable[[], object], times: int = 101) -> float:
    costs = []
    for _ in range(times):
        begin = time.process_time()
        poll()
        costs.append(1000 * (time.process_time() - begin))
    return median(costs)


if __name__ == "__main__":
    sys.exit(main())
