"""Twenty kills at random moments, and the same bits at the end."""

import json
import multiprocessing
import random
import signal
from pathlib import Path

import pytest

from tests.training.engine.killing import Death, attempt
from training.engine import checkpoint

KILLS = 20
IN_A_SAVE = ("params_sha256", "_seal", "_manifest", "write_json_atomic", "thin_out", "_remove")
OF_THE_MACHINE = ("tokens_per_second", "elapsed_s", "peak_memory_bytes")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def processes():
    """Starts processes that have imported everything and computed nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["training.engine.loop", "orbax.checkpoint", "tests.training.engine.killing"])
    return context


def lived(processes, home: Path, run_dir: Path, death: Death | None) -> int:
    process = processes.Process(target=attempt, args=(home, run_dir, death))
    process.start()
    process.join(120)
    return process.exitcode


def result(run_dir: Path) -> tuple[list[dict], bytes, str]:
    """The curve without what the machine's speed decides, the rows behind it, and the hash of the final parameters."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    curve = [{name: value for name, value in line.items() if name not in OF_THE_MACHINE} for line in lines]
    newest = checkpoint.latest_sealed(run_dir / "checkpoints")
    assert newest.name == "150"
    ledger = (run_dir / "ledger" / "losses.bin").read_bytes()
    return curve, ledger, checkpoint.read_progress(newest)["params_sha256"]


def deaths(seed: int) -> list[Death]:
    chance = random.Random(seed)
    anywhere = [Death(chance.randint(1, 9), seconds=chance.uniform(0, 0.1)) for _ in range(KILLS - len(IN_A_SAVE))]
    in_a_save = [Death(chance.randint(1, 2), function=name) for name in IN_A_SAVE]
    return chance.sample(anywhere + in_a_save, KILLS)


def test_a_run_killed_twenty_times_ends_with_the_same_curve_and_parameters(processes, tmp_path):
    assert lived(processes, tmp_path, tmp_path / "uninterrupted", None) == 0
    expected, lives, killed = result(tmp_path / "uninterrupted"), [tmp_path / "run0"], 0
    for death in deaths(seed=20):
        code = lived(processes, tmp_path, lives[-1], death)
        assert code in (0, -signal.SIGKILL)
        killed += code != 0
        if code == 0:  # it was over before its death: another run dies the others
            lives.append(tmp_path / f"run{len(lives)}")
    assert killed >= KILLS - 2
    assert lived(processes, tmp_path, lives[-1], None) == 0
    for run_dir in lives:
        assert result(run_dir) == expected
