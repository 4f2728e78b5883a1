"""Checks that every golden set holds the rules of a trace: `python -m training.validate_golden`."""

import sys

from training.canonical import content_sha256, sha256_hex
from training.errors import Invalid
from training.golden import GOLDEN, golden_traces
from training.schema import read_trace


def main() -> int:
    """Prints a line a set; returns 0 when all are valid, 1 otherwise."""
    failures = 0
    for key in GOLDEN:
        try:
            traces = [read_trace(trace) for trace in golden_traces(key)]
        except Invalid as invalid:
            failures += 1
            print(f"{key}: {invalid}")
        else:
            identity = sha256_hex("".join(map(content_sha256, traces)))
            print(f"{key}: {len(traces)} traces, all valid, content {identity[:16]}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
