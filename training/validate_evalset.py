"""`python -m training.validate_evalset F…`: is each file an evalset, and if not, what is wrong on which line.

Of a valid one it also says what is asked how often, and warns of items that ask the same or that no answer can reach.
Exit 0: all are. 1: at least one is not. 2: wrong use, or a file that cannot be read.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.errors import Invalid, echo
from training.evalset_checks import doubts_of, label_counts
from training.evalsets import evalset_sha256, read_evalset

VALID, INVALID, WRONG_USE = 0, 1, 2
MOST_WARNINGS = 50


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a verdict for every file; returns the worst exit code."""
    parser = argparse.ArgumentParser(prog="training.validate_evalset", description="Check evalset files.")
    parser.add_argument("files", type=Path, nargs="+", metavar="F", help="a JSONL file with one item a line")
    return max([_validate(path) for path in parser.parse_args(argv).files])


def _validate(path: Path) -> int:
    try:
        items = read_evalset(path)
    except Invalid as error:
        print(f"{path}: invalid, faults: {len(error.faults)}")
        print("\n".join(f"  {fault}" for fault in error.faults))
        return INVALID
    except OSError as error:
        print(f"{path}: cannot be read: {error.strerror}", file=sys.stderr)
        return WRONG_USE
    print(f"{path}: valid, {len(items)} items, sha256 {evalset_sha256(items)}")
    print("\n".join(f"  {line}" for line in _about(items)))
    return VALID


def _about(items: Sequence[dict]) -> Iterator[str]:
    for label, counts in label_counts(items).items():
        if counts:
            yield f"{label}: " + ", ".join(f"{echo(value)} {count}" for value, count in counts.most_common())
    doubts = list(doubts_of(items))
    yield from (f"warning: {doubt}" for doubt in doubts[:MOST_WARNINGS])
    if len(doubts) > MOST_WARNINGS:
        yield f"warning: and {len(doubts) - MOST_WARNINGS} more"


if __name__ == "__main__":
    sys.exit(main())
