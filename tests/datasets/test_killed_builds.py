"""A build that is killed leaves the whole version or nothing, whenever it happens."""

import subprocess
import sys

import pytest

from tests.needs import ROOT
from tests.stack import stack

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["embedded", pytest.param("services", marks=pytest.mark.services)])
def test_a_build_killed_at_any_moment_leaves_the_whole_version_or_nothing(tmp_path, kind):
    with stack(tmp_path / "home", kind) as installation:
        environment = installation.environment | {"DJANGO_SETTINGS_MODULE": "tunixrt.settings"}
        command = [sys.executable, "-m", "tests.datasets.kill_builds", "3"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert {"nothing", "building", "sealing"} <= {line.split()[-1] for line in done.stdout.splitlines()}
