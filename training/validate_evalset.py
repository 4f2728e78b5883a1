"""`python -m training.validate_evalset F…`: is each file an evalset, and if not, what is wrong on which line.

Exit 0: all are. 1: at least one is not. 2: wrong use, or a file that cannot be read.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.errors import Invalid
from training.evalsets import evalset_sha256, read_evalset

VALID, INVALID, WRONG_USE = 0, 1, 2


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
    return VALID


if __name__ == "__main__":
    sys.exit(main())
