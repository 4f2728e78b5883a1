"""How many cores compute, and that a process keeps to them."""

import os

import pytest

from training.errors import Invalid
from training.machine import cores_to_use, machine, told, use_cores

ALL = os.sched_getaffinity(0)


@pytest.fixture(autouse=True)
def free_again():
    yield
    os.sched_setaffinity(0, ALL)


@pytest.mark.parametrize(("setting", "wanted", "cores"), [("0", None, 4), ("3", None, 3), ("3", 2, 2), ("0", 64, 4)])
def test_a_run_takes_the_cores_it_wants_else_those_of_the_setting_and_never_more_than_there_are(
    monkeypatch, setting, wanted, cores
):
    monkeypatch.setattr("training.machine._allowed", lambda: {0, 1, 2, 3})
    monkeypatch.setenv("RUN_THREADS", setting)
    assert cores_to_use(wanted) == cores


def test_a_setting_that_is_no_number_is_told(monkeypatch):
    monkeypatch.setenv("RUN_THREADS", "many")
    with pytest.raises(Invalid, match=r"^RUN_THREADS: must be a number of cores, not 'many'"):
        cores_to_use()


def test_a_process_keeps_to_its_cores_and_the_record_tells_their_number():
    use_cores(1)
    assert len(os.sched_getaffinity(0)) == machine()["cores"] == cores_to_use() == 1


@pytest.mark.parametrize(("pid", "taken"), [(8, {0, 1}), (9, {2, 3}), (10, {0, 1})])
def test_two_processes_take_other_cores_where_they_can(monkeypatch, pid, taken):
    calls = []
    monkeypatch.setattr("training.machine._allowed", lambda: {0, 1, 2, 3, 4})
    monkeypatch.setattr("os.getpid", lambda: pid)
    monkeypatch.setattr("os.sched_setaffinity", lambda process, cores: calls.append(set(cores)))
    use_cores(2)
    use_cores(5)  # all there are: nothing to do
    assert calls == [taken]


def test_what_the_environment_tells_the_compiler_is_recorded(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert told()["XLA_FLAGS"] == "--xla_cpu_enable_fast_math=true"
    assert "JAX_PLATFORMS" not in told()
