"""Checks on the full published files, where they lie on this machine: every row is taken in, none is lost."""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from training.formats import read_traces


def main(folder: Path) -> int:
    """Converts both GSM8K files and counts steps against lines; prints what it found."""
    for name, rows in (("train", 7473), ("test", 1319)):
        path = folder / "gsm8k" / f"{name}.jsonl"
        with path.open("rb") as stream:
            found = [payload for _, payload in read_traces(stream, source="gsm8k", max_line_bytes=2**20)]
        bad = [payload for payload in found if not isinstance(payload, dict)]
        steps = sum(len(payload["steps"]) for payload in found if isinstance(payload, dict))
        print(f"gsm8k {name}: {len(found)} rows, {steps} steps, {len(bad)} refused")
        if len(found) != rows or bad:
            return 1
    return subprocess.run([sys.executable, "-m", "training.validate_golden"]).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
