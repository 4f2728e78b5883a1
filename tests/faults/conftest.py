import pytest

from tests.faults.installation import installation
from tests.jobs.test_work import job, kind  # noqa: F401 (fixtures of the tests that mutants must fail)
from tests.runs.conftest import dataset, run  # noqa: F401

SERVICES = pytest.param("services", marks=pytest.mark.servers)
KINDS = ["embedded", SERVICES]


@pytest.fixture(scope="session")
def on_services():
    """PostgreSQL and Redis of its own, for every test of this process that breaks something there."""
    with installation("services") as made:
        yield made


@pytest.fixture(scope="session")
def on_embedded():
    with installation("embedded") as made:
        yield made


@pytest.fixture(scope="module", params=KINDS)
def place(request):
    """An installation with three workers and a sweeper: first the embedded default, then PostgreSQL and Redis."""
    made = request.getfixturevalue(f"on_{request.param}")
    made.work_force("one", "two", "three")
    return made
