"""How a worker that was told to stop says so to the processes that work for it."""

import os
import socket
from pathlib import Path

from django.conf import settings


def drain_file(main_pid: int) -> Path:
    """Where the main process of a worker of this machine leaves the word."""
    return settings.TUNIXRT_HOME / "drain" / f"{socket.gethostname()}-{main_pid}"


def is_stopping() -> bool:
    """Whether the worker that this process works for was told to stop."""
    return drain_file(os.getppid()).exists()
