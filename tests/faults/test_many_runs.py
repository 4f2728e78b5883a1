import pytest

from tests.faults.conftest import SERVICES
from tests.faults.torture import many_runs

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("place", [SERVICES], indirect=True)]


def test_many_runs_survive_a_flush_and_three_dead_workers_and_none_is_trained_twice(place):
    """Sixty here; `make torture` does two hundred."""
    place.work_force("four")
    many_runs(place, 60)
    place.kill("four")
