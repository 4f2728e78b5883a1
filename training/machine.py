"""The computer that a run computes on: what of it bears on speed and on the last bits of a sum.

A sum that several cores share is added up in parts, one a core, so how many there are decides its last bits; which of
them it is does not.
"""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training.canonical import sha256_hex
from training.errors import Fault, Invalid, echo
from training.home import home

THREADS = "RUN_THREADS"  # in the environment: cores of a run; 0: all that it may use


def machine(cores: int | None = None) -> dict[str, Any]:
    """The processor, how many of its `cores` compute (those that this process may use), and the system."""
    return {
        "cpu": _cpuinfo("model name"),
        "features": _features(),
        "cores": cores or len(_allowed()),
        "platform": platform.platform(),
    }


def told() -> dict[str, str]:
    """What the environment tells jax and its compiler. Which device that means is recorded by itself."""
    names = (name for name in sorted(os.environ) if name.startswith(("JAX_", "XLA_")) and name != "JAX_PLATFORMS")
    return {name: os.environ[name] for name in names}


def cores_to_use(wanted: int | None = None) -> int:
    """How many cores compute: as many as are wanted, else as RUN_THREADS says, and never more than there are.

    Raises Invalid when RUN_THREADS is no number.
    """
    given = os.environ.get(THREADS, "0")
    if not given.isdecimal():
        raise Invalid(Fault((THREADS,), f"must be a number of cores, not {echo(given)}", "wrong_value"))
    here = len(_allowed())
    pinned = hasattr(os, "sched_setaffinity")  # else a number would be recorded that nobody keeps to
    return min(wanted or int(given) or here, here) if pinned else here


def use_cores(number: int) -> None:
    """Keeps this process to `number` cores, so that a library which counts them starts as many threads.

    Of two processes each takes others where it can: the first of them follow from its id.
    """
    allowed = sorted(_allowed())
    if number < len(allowed) and hasattr(os, "sched_setaffinity"):
        first = number * (os.getpid() % (len(allowed) // number))
        os.sched_setaffinity(0, allowed[first : first + number])


def compile_cache() -> Path:
    """Where compiled programs are kept: they fit one set of processor features and one compiler."""
    return home() / "compile_cache" / f"{platform.machine()}-{_features()}-jaxlib-{version('jaxlib')}"


def _allowed() -> set[int]:
    """The cores that this process may use; all where the system does not tell."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def _features() -> str:
    """A short hash of what the processor can do, for which programs are compiled."""
    return sha256_hex(_cpuinfo("flags") or _cpuinfo("Features") or platform.machine())[:12]


def _cpuinfo(field: str) -> str:
    """The first value of `field` that Linux gives for a processor, or an empty text."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(field)), "")
