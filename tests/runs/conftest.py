import json

import pytest

from datasets_app.services import seed_dataset
from runs.services import launch_run
from tests.runs.making import TINY
from training.engines import TUNIX_VERSIONS


@pytest.fixture(autouse=True)
def no_tunix(settings, tmp_path):
    """Whatever this machine has, Tunix is absent."""
    settings.TUNIX_PYTHON = tmp_path / "missing" / "python"


@pytest.fixture
def tunix(settings, tmp_path):
    """A program in the interpreter's place that has the right Tunix."""
    settings.TUNIX_PYTHON = tmp_path / "python"
    settings.TUNIX_PYTHON.write_text(f"#!/bin/sh\necho {' '.join(TUNIX_VERSIONS.values())}\n")
    settings.TUNIX_PYTHON.chmod(0o755)
    return settings.TUNIX_PYTHON


@pytest.fixture
def dataset(db):
    """Sixty short chains, frozen."""
    return seed_dataset(key="chain-test", count=60, seed=1, difficulty=2)


@pytest.fixture
def run(dataset, user):
    """A pending run of a really small config."""
    return launch_run(dataset_key=dataset.key, config=TINY, seed=5, name="small", by=user)


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(TINY))
    return path
