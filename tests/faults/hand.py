"""A process of an installation that does what it is told: a line of Python in, a line of JSON out.

A command takes a second to start, in which much can happen; this one has started.
"""

import json
import sys

import django


def main() -> None:
    django.setup()
    from datasets_app import models as datasets
    from runs import models as runs
    from runs import services
    from tests.faults import looking
    from traces import models as imports
    from tunixrt.jobs import models as jobs
    from tunixrt.jobs import work

    names = {
        "imports": imports,
        "services": services,
        "runs": runs,
        "jobs": jobs,
        "work": work,
        "datasets": datasets,
        "looking": looking,
    }
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        try:
            answer = {"value": eval(json.loads(line), names)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        django.db.connection.close()  # the database may be another the next time
        print(json.dumps(answer, default=str), file=answers, flush=True)


if __name__ == "__main__":
    main()
