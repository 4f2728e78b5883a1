import threading

import jax
import jax.numpy as jnp
import pytest

from training.engine.lanes import LARGE, MOST, lanes, side_by_side
from training.machine import machine


def test_a_cpu_takes_a_stream_a_core_and_only_one_of_weights_too_large_to_fetch_often():
    few, many = (jnp.ones(size, device=jax.devices("cpu")[0]) for size in (16, LARGE // 4 + 1))
    assert lanes({"matrix": few}) == min(MOST, machine()["cores"])
    assert lanes({"matrix": many}) == 1


def test_streams_go_on_at_the_same_time():
    meet = threading.Barrier(3, timeout=10)  # breaks unless all three wait at it together

    def stream(name: str):
        for number in range(4):
            meet.wait()
            yield name, number

    found = list(side_by_side([stream("a"), stream("b"), stream("c")]))

    assert sorted(found) == [(name, number) for name in "abc" for number in range(4)]
    assert [number for name, number in found if name == "b"] == [0, 1, 2, 3]


def test_what_a_stream_raises_reaches_the_reader():
    def broken():
        yield 1
        raise ValueError("a prompt too many")

    with pytest.raises(ValueError, match="a prompt too many"):
        list(side_by_side([iter(range(3)), broken()]))


def test_a_reader_may_leave_early():
    def endless():
        while True:
            yield threading.get_ident()

    reading = side_by_side([endless(), endless()])
    threads = {next(reading) for _ in range(20)}
    reading.close()

    assert not threads & {thread.ident for thread in threading.enumerate()}
