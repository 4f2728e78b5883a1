"""The child's side of supervision, tried on real processes."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from training import lifeline
from training.lifeline import Failure, run_lock

ROOT = Path(__file__).parents[2]
WAITING = "import signal; from training import lifeline; lifeline.enter_supervision(); lifeline.emit('ready', x=0.5)\n"


def child(code: str, *arguments: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", WAITING + code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
    )


def test_a_supervised_child_speaks_json_and_ends_when_its_supervisor_closes_the_pipe():
    process = child("signal.pause()", TUNIXRT_SUPERVISED="1")
    assert json.loads(process.stdout.readline()) == {"event": "ready", "x": 0.5}
    process.stdin.close()
    assert process.wait(10) == lifeline.TRANSIENT


def test_a_silent_supervisor_is_a_dead_one():
    process = child("signal.pause()", TUNIXRT_SUPERVISED="1", TUNIXRT_SILENCE_SECONDS="0.1")
    assert process.wait(10) == lifeline.TRANSIENT


def test_beats_keep_the_child_alive():
    code = "import sys\nwhile not lifeline.stop_requested(): signal.sigtimedwait([], 0.01)"
    process = child(code, TUNIXRT_SUPERVISED="1", TUNIXRT_SILENCE_SECONDS="5")
    process.stdout.readline()
    process.stdin.write(".")
    process.stdin.flush()
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_a_child_dies_with_its_supervisor_even_while_its_pipe_is_open():
    beats, pulse = os.pipe()  # the test holds the other end, so only the kernel can tell
    start = f"subprocess.Popen([sys.executable, '-c', {WAITING + 'signal.pause()'!r}]).wait()"
    supervisor = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess, sys\n{start}"],
        stdin=beats,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TUNIXRT_SUPERVISED": "1"},
    )
    assert "ready" in supervisor.stdout.readline()
    supervisor.kill()
    supervisor.wait()
    assert supervisor.stdout.read() == ""  # ends when the child, which inherited it, has ended
    os.close(beats)
    os.close(pulse)


def test_without_a_supervisor_lines_are_for_people():
    process = child("signal.pause()", TUNIXRT_SUPERVISED="")
    assert process.stdout.readline() == "ready · x 0.5\n"
    process.kill()
    process.wait()


def test_two_processes_never_work_in_one_directory(tmp_path):
    with run_lock(tmp_path), pytest.raises(Failure) as failure, run_lock(tmp_path):
        pass
    assert failure.value.code == lifeline.LOCKED
    with run_lock(tmp_path):
        pass


LOCKING = "import sys; from pathlib import Path\nwith lifeline.run_lock(Path(sys.argv[1])): print('mine', flush=True)"


def test_a_supervised_process_waits_for_the_one_before_it_to_end(tmp_path):
    with run_lock(tmp_path):
        process = child(LOCKING, str(tmp_path), TUNIXRT_SUPERVISED="1")
        assert "ready" in process.stdout.readline()
        assert not select.select([process.stdout], [], [], 0.3)[0]
    assert process.stdout.readline() == "mine\n"
    assert process.wait(10) == 0


def test_a_supervised_process_that_waits_for_another_can_be_stopped(tmp_path):
    with run_lock(tmp_path):
        process = child(LOCKING, str(tmp_path), TUNIXRT_SUPERVISED="1")
        assert "ready" in process.stdout.readline()
        process.terminate()
        assert process.wait(10) == 1
