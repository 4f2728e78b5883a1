"""Which machine this is, which start of it, and which of its processes still live."""

from contextlib import suppress
from functools import cache
from pathlib import Path

PROC = Path("/proc")  # Linux; elsewhere nothing is known, and the lease and the lock of the directory have to do


@cache
def boot_id() -> str:
    """A name for the present start of this machine; empty where the system has none."""
    with suppress(OSError):
        return (PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
    return ""


def birth(pid: int) -> str:
    """When process `pid` began, in ticks since the machine's start: with its number, a name that no other process ever
    has. Empty when there is no such process, or it is dead and only waits to be fetched."""
    with suppress(OSError, IndexError):
        # What stands in brackets is the program's name, which may hold spaces and brackets itself.
        fields = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    return ""
