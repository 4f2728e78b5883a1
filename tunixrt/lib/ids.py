"""Identifiers: made so that they sort by their time, and read from what somebody gave."""

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def uuid7() -> uuid.UUID:
    """A UUID version 7 (RFC 9562): milliseconds first, then a counter, then randomness.

    Rows made one after the other in one process keep their order, and new rows land at the end of the
    primary-key index instead of all over it.
    """
    global _last
    with _lock:
        _last = max(_last + 1, time.time_ns() * 4096 // 1_000_000)  # 48 bits of ms, 12 bits below
        stamp = _last
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62
    return uuid.UUID(int=value | int.from_bytes(os.urandom(8), "big") >> 2)


def read_uuid(text: str) -> uuid.UUID | None:
    """The UUID that a text is; None for every other text."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
