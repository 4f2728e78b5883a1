"""Streams of work side by side on one CPU: a core is quickest at small products that no other core helps it with."""

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any, TypeVar

import jax

from training.machine import machine

Item = TypeVar("Item")

LARGE = 128 * 2**20  # bytes of weights that every stream would fetch for itself, where one would fetch them for all
MOST = 16  # streams, however many cores there are: each has slots to remember


def lanes(params: Any) -> int:
    """How many streams of work with `params` one device takes at a time: as many as a CPU has cores, else one."""
    arrays = jax.tree.leaves(params)
    devices = set().union(*(array.devices() for array in arrays))
    alone = len(devices) > 1 or devices.pop().platform != "cpu" or sum(array.nbytes for array in arrays) > LARGE
    return 1 if alone else min(machine()["cores"], MOST)


def side_by_side(streams: Sequence[Iterator[Item]]) -> Iterator[Item]:
    """What the streams give, as it comes.

    Several have a thread each, which no jax context of the caller reaches.
    """
    if len(streams) == 1:
        yield from streams[0]
        return
    with ThreadPoolExecutor(len(streams)) as threads:

        def go_on(stream: Iterator[Item]) -> Future[list[Item]]:
            return threads.submit(lambda: list(islice(stream, 1)))

        running = {go_on(stream): stream for stream in streams}
        while running:
            ready, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ready:
                stream = running.pop(future)
                for item in future.result():
                    running[go_on(stream)] = stream
                    yield item
