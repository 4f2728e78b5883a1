"""Starting jax once, the same way for every script: which device, and where compiled programs are kept."""

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training import memory
from training.lifeline import BAD_CONFIG, TRANSIENT, Failure
from training.machine import compile_cache, cores_to_use, use_cores

DEVICES = {"auto": "", "cpu": "cpu", "gpu": "cuda", "tpu": "tpu"}
JOIN_SECONDS = 60  # in which all processes must have begun
CACHE_BYTES = 2 * 2**30  # of compiled programs, those of other machines and compilers included


@dataclass(frozen=True)
class Processes:
    """Several processes that train together, on one machine or many, and which of them this one is."""

    coordinator: str  # host:port of the first, where they find each other
    number: int
    index: int  # from 0


def start_jax(device: str, processes: Processes | None = None, *, cores: int | None = None) -> None:
    """Imports jax for `device`, one of DEVICES, and finds the other `processes` if there are any.

    As many `cores` compute as `machine.cores_to_use` says: jax counts them once, when it starts its threads. Raises
    Failure when this machine has no such device or the others do not come.
    """
    use_cores(cores_to_use(cores))
    if DEVICES[device]:
        os.environ["JAX_PLATFORMS"] = DEVICES[device]
    import jax  # reads the variable above

    cache = compile_cache()
    cache.mkdir(parents=True, exist_ok=True)
    make_room(cache.parent, CACHE_BYTES)
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    if processes:
        _join(processes)
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # the latter, without a word, where jax was installed without it
        reason = next(iter(str(error).splitlines()), "the installed jax has no support for it")
        raise Failure(BAD_CONFIG, "device_unavailable", f"there is no {device} for jax on this machine: {reason}")


def device() -> dict[str, Any]:
    """What computes, of all processes together: for each kind of device the bits of a sum may be others."""
    import jax

    first = jax.devices()[0]
    return {"platform": first.platform, "kind": first.device_kind, "count": jax.device_count()}


def peak_memory() -> int | None:
    """The most bytes that were held at once: of a device of this process where it counts them, else of the process."""
    import jax

    peaks = [stats["peak_bytes_in_use"] for device in jax.local_devices() if (stats := device.memory_stats())]
    return max(peaks) if peaks else memory.peak_memory()


def require_memory(needed: memory.Memory) -> int:
    """The part of what a run needs that `peak_memory` will tell of.

    Raises Invalid when it does not fit a device of this process or, on the CPU, what a run may take of this machine.
    """
    import jax

    if stats := jax.local_devices()[0].memory_stats():
        memory.require_memory(needed, stats.get("bytes_limit"), device=True)
        return needed.device
    here = replace(needed, devices=min(needed.devices, jax.local_device_count()))
    memory.require_memory(here, memory.allowed_memory())
    return here.total


def part() -> None:
    """Ends what several processes have in common; from here on each may go on or end by itself."""
    import jax

    jax.distributed.shutdown()


def _join(processes: Processes) -> None:
    import jax

    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM, which is ours
    try:
        jax.distributed.initialize(
            coordinator_address=processes.coordinator,
            num_processes=processes.number,
            process_id=processes.index,
            initialization_timeout=JOIN_SECONDS,
            shutdown_timeout_seconds=JOIN_SECONDS,
            coordinator_bind_address=processes.coordinator,  # and no other address of this machine
        )
    except Exception as error:
        msg = f"the {processes.number} processes did not find each other at {processes.coordinator}: {error}"
        raise Failure(TRANSIENT, "processes_missing", msg)


def make_room(cache: Path, limit: int) -> None:
    """Deletes the files under `cache` that were not used for longest, until the others have `limit` bytes at most.

    jax has a limit of its own (jax_compilation_cache_max_size), but keeps the times of use in files of its own: one
    process killed between two writes, and no process stores anything any more.
    """
    used: list[tuple[float, int, Path]] = []
    for path in cache.rglob("*"):
        with suppress(FileNotFoundError):  # another process makes room too
            status = path.stat()
            if path.is_file():
                used.append((max(status.st_atime, status.st_mtime), status.st_size, path))
    total = 0
    for _, size, path in sorted(used, reverse=True):
        total += size
        if total > limit:
            path.unlink(missing_ok=True)
