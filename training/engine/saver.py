"""Saving while training goes on: a copy is taken between two updates, and a thread writes and seals it."""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import numpy as np

from training.config import CheckpointConfig
from training.engine import checkpoint
from training.engine.model import Params

NICENESS = 10  # of the writing thread: it takes what the step leaves of the processor


class Saver:
    """Saves one step at a time. As a context it ends when the last one is sealed.

    Older steps go as `config` says; with `keep_all` they stay, for an examination of each.
    `flush` makes durable, in the thread and before the seal, what must not be older than the checkpoint. `sealed` is
    told of each step once it counts, by the thread that calls `save`, `poll` or `wait`. What a save fails of (OSError
    when the disk is full) these three raise.
    """

    def __init__(
        self,
        directory: Path,
        config: CheckpointConfig,
        *,
        flush: Callable[[], None],
        sealed: Callable[[int], None],
        keep_all: bool = False,
    ):
        self._directory, self._config, self._flush, self._sealed = directory, config, flush, sealed
        self._keep_all = keep_all
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="saver", initializer=_step_back)
        self._under_way: Future[int] | None = None
        self._copy: Any = None  # kept: writing to fresh memory takes ten times as long as copying

    def __enter__(self) -> "Saver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with suppress(Exception) if error else nullcontext():  # the first error is the one to tell of
                self.wait()
        finally:
            self._thread.shutdown()

    def save(self, step: int, *, params: Params, optimizer: Any, progress: dict[str, Any]) -> None:
        """Copies the state, which may be consumed afterwards, and begins to write it once the save before is sealed."""
        self.wait()
        checkpoint.require_space(self._directory, (params, optimizer))
        self._copy = _copied((params, optimizer), self._copy)
        self._under_way = self._thread.submit(self._write, step, progress)

    def poll(self) -> None:
        """Tells of the save under way if it is done."""
        if self._under_way and self._under_way.done():
            self.wait()

    def wait(self) -> None:
        """Returns when nothing is under way any more."""
        under_way, self._under_way = self._under_way, None
        if under_way:
            self._sealed(under_way.result())

    def _write(self, step: int, progress: dict[str, Any]) -> int:
        params, optimizer = self._copy
        self._flush()
        checkpoint.save(self._directory, step, params=params, optimizer=optimizer, progress=progress)
        if not self._keep_all:
            checkpoint.thin_out(self._directory, newest=self._config.keep, best=self._config.best)
        return step


def _copied(tree: Any, into: Any) -> Any:
    """The arrays of `tree` in this process's memory, in the place of an earlier copy of its like if there is one."""
    into = into or jax.tree.map(lambda array: np.empty(array.shape, array.dtype), tree)
    jax.tree.map(lambda copy, array: np.copyto(copy, np.asarray(array)), into, tree)
    return into


def _step_back() -> None:
    """Lowers the calling thread's priority; on Linux the threads that it starts inherit it."""
    if sys.platform == "linux":  # elsewhere a thread has no priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
