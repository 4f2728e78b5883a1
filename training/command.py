"""How every script ends: an exit code for programs, a sentence for people, never a traceback for their mistakes."""

import errno
import sys
from collections.abc import Callable

from training import lifeline
from training.errors import Invalid
from training.lifeline import Failure


def outcome(work: Callable[[], None]) -> int:
    """Does `work` under supervision and returns the exit code of how it ended. Other exceptions pass."""
    try:
        lifeline.enter_supervision()
        work()
        return lifeline.OK
    except Failure as failure:
        return _failed(failure.code, failure.reason, failure.message)
    except Invalid as invalid:
        return _failed(lifeline.BAD_CONFIG, invalid.faults[0].type, "\n".join(str(fault) for fault in invalid.faults))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        return _failed(lifeline.BAD_CONFIG, "file_unusable", f"{error.filename}: {error.strerror}")
    except ImportError as error:
        message = (
            f"{sys.executable} cannot import what this needs: {error}. `make install` makes an environment with it"
        )
        return _failed(lifeline.BAD_CONFIG, "not_installed", message)
    except Exception as error:
        if not (is_disk_full(error) or is_out_of_memory(error)):
            raise
        if not is_disk_full(error):
            return _failed(lifeline.OUT_OF_MEMORY, "out_of_memory", _out_of_memory(error))
        detail = f" ({error.strerror})" if isinstance(error, OSError) else ""
        message = f"the disk is full{detail}; make room and go on from the last sealed checkpoint"
        return _failed(lifeline.DISK_FULL, "disk_full", message)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory is short; the compiler and the devices say so in words only."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)


def is_disk_full(error: BaseException) -> bool:
    """Whether `error` says that the disk is full; the array writer says so in words only."""
    return getattr(error, "errno", None) == errno.ENOSPC or "no space left on device" in str(error).lower()


def _out_of_memory(error: BaseException) -> str:
    said = next(iter(str(error).splitlines()), "")[:300]
    return f"out of memory: {said or 'nothing was left'}; smaller training.microbatch or data.max_length take less"


def _failed(code: int, reason: str, message: str) -> int:
    if lifeline.supervised():
        lifeline.emit("failed", reason=reason, message=message)
    else:
        print(message, file=sys.stderr)
    return code
