"""The helper of `prover`: reads `[expected, answer]` a line, answers `"equal"`, `"different"` or `"unreadable"`.

A question that takes too much computing ends the process, by the kernel's own timer: no library can catch that.
"""

import io
import json
import logging
import resource
import signal
import sys
from contextlib import suppress
from typing import Any

from training.judges.prover import CPU_SECONDS, MEMORY_BYTES, MISSING

DIGITS = 12  # behind the point, to which numbers that have no exact form are compared


def main() -> int:
    with suppress(ValueError, OSError):  # a system without this limit has the other
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        import math_verify  # noqa: F401
    except ImportError:
        return MISSING
    logging.disable()  # it warns that its own time limit is off; ours is not
    replies, sys.stdout = sys.stdout, io.StringIO()  # whatever a library prints is no reply
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        reply = _verdict(*json.loads(line))
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(reply), file=replies, flush=True)
    return 0


def _verdict(expected: str, answer: str) -> str:
    from math_verify import verify

    theirs, ours = _parsed(expected), _parsed(answer)
    if not theirs or not ours:
        return "unreadable"
    equal = verify(theirs, ours, float_rounding=DIGITS, numeric_precision=2 * DIGITS, timeout_seconds=None)
    return "equal" if equal else "different"


def _parsed(latex: str) -> list[Any]:
    from math_verify import LatexExtractionConfig, parse

    return parse(f"${latex}$", [LatexExtractionConfig()], "no_fallback", parsing_timeout=None)


if __name__ == "__main__":
    sys.exit(main())
