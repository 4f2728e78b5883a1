import pytest

from tests.stack import stack


@pytest.fixture(params=["embedded", pytest.param("services", marks=pytest.mark.services)])
def installation(request, tmp_path):
    """tunixrt as processes: once on SQLite and the embedded broker, once on PostgreSQL and Redis."""
    with stack(tmp_path / "installation", request.param) as made:
        yield made


@pytest.fixture
def embedded(tmp_path):
    with stack(tmp_path / "installation", "embedded") as made:
        yield made
