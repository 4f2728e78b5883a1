"""One run at a time on a device: a worker that could train on an accelerator holds it for as long as it lives."""

import fcntl
import os
import re
import socket
from pathlib import Path

from django.conf import settings

from training.engines import may_use_accelerator
from tunixrt.jobs.models import this_worker

_held: list[int] = []  # file handles: a lock lasts as long as its process


def devices() -> list[str]:
    """The accelerators that a run would find here, by name; none where it computes on the CPU, which may be shared."""
    if settings.RUN_DEVICE == "cpu" or (settings.RUN_DEVICE == "auto" and not may_use_accelerator(settings.RUN_PYTHON)):
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        gpus = [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    else:
        gpus = [path.name.removeprefix("nvidia") for path in sorted(Path("/dev").glob("nvidia[0-9]*"))]
    tpus = ["tpu"] if settings.RUN_DEVICE == "tpu" or any(Path("/dev").glob("accel[0-9]*")) else []
    return [f"gpu-{name}" for name in gpus if settings.RUN_DEVICE != "tpu"] + tpus


def take(names: list[str]) -> None:
    """Holds the devices for this process. Raises SystemExit with a sentence when another worker has one."""
    folder = settings.TUNIXRT_HOME / "devices"
    for name in names:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{socket.gethostname()}-{re.sub(r'[^A-Za-z0-9.-]', '_', name)}"
        handle = os.open(file, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read_text() or "another worker"
            raise SystemExit(
                f"The device {name} belongs to the worker {holder}, and two runs on one device would take each other's "
                f"memory. Stop that worker (manage.py drain_worker {holder}) or give this one another device "
                "(CUDA_VISIBLE_DEVICES)."
            )
        os.truncate(handle, 0)
        os.write(handle, this_worker().encode())
        _held.append(handle)
