"""`python -m training.eval_report --before F --after F --output F [--evalset F]`: two results files as one report.

Exit 0: written. 1: the files are refused. 2: wrong use, or a file that cannot be read or written.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.errors import Invalid
from training.evalsets import read_evalset
from training.files import write_atomic
from training.results import compare, decide, delta_report, read_results, verdict

REFUSED, WRONG_USE = 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the report and prints its decision; returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        before, after = _read(args.before), _read(args.after)
        items = read_evalset(args.evalset) if args.evalset else None
        write_atomic(args.output, delta_report(before, after, title=args.title, items=items))
    except Invalid as error:
        print("\n".join(map(str, error.faults)), file=sys.stderr)
        return REFUSED
    except OSError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    decision = decide(before, after, items).decision
    print(f"{decision}: {decision.reason}\n{verdict(compare(before, after))}")
    return 0


def _read(path: Path) -> list[dict]:
    """`read_results`, with the file's name before each fault."""
    try:
        return read_results(path)
    except Invalid:
        print(f"{path}:", file=sys.stderr)
        raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="training.eval_report", description="Compare two results files of one evalset."
    )
    parser.add_argument("--before", type=Path, required=True, help="results before training, eval_before.jsonl")
    parser.add_argument("--after", type=Path, required=True, help="results after training, eval_after.jsonl")
    parser.add_argument("--evalset", type=Path, help="the items that were asked, for a verdict on every slice")
    parser.add_argument("--output", type=Path, required=True, help="the report to write, delta_report.md")
    parser.add_argument("--title", default="Before and after training", help="the report's heading")
    return parser


if __name__ == "__main__":
    sys.exit(main())
