import platform
from collections.abc import Iterable
from importlib.metadata import version
from importlib.util import find_spec

import django
from django.conf import settings

from training.engines import why_absent
from training.published import installed
from tunixrt import state
from tunixrt.jobs.services import workers
from tunixrt.lib.commands import Command as BaseCommand
from tunixrt.lib.errors import Unavailable


class Command(BaseCommand):
    help = "Tells what is configured, what answers, and what is installed. Exit 1 when a needed part is down."

    def run(self, **options) -> dict:
        found = state.checks()
        usable = any((check.name, check.state) == ("migrations", "ok") for check in found)
        if usable:
            found += [*state.datasets(), *state.runs()]
        report = {
            "home": str(settings.TUNIXRT_HOME),
            "workers": [worker.to_dict() for worker in workers()] if usable else [],
            "checks": {check.name: check.to_dict() for check in found},
            "installed": {"python": platform.python_version(), "django": django.__version__}
            | {name: version(name) for name in ("celery", "jax", "flax", "optax", "orbax-checkpoint", "tokenizers")},
            "optional": {"ungar": find_spec("ungar") is not None, "tunix": why_absent(settings.TUNIX_PYTHON) is None},
            "weights": installed(),
        }
        if any(check.state == "down" for check in found):
            raise Unavailable("; ".join(f"{c.name}: {c.detail}" for c in found if c.state == "down"))
        return report

    def show(self, result: dict) -> Iterable[str]:
        yield f"home: {result['home']}"
        for name, check in result["checks"].items():
            yield f"{check['state']:>5}  {name}: {check['detail']}"
        for worker in result["workers"]:
            where, does = worker["device"] or "CPU", worker["job"]["kind"] if worker["job"] else "nothing"
            yield f"worker {worker['name']} ({worker['queue']}; {where}): {worker['state']}, does {does}"
        yield "installed: " + ", ".join(f"{name} {number}" for name, number in result["installed"].items())
        for name, present in result["optional"].items():
            yield f"optional: {name} {'present' if present else 'absent'}"
        yield f"weights: {', '.join(result['weights']) or 'none'}"
