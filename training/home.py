"""Where this installation keeps its data."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def home() -> Path:
    """`TUNIXRT_HOME`, or `var/` at the root of the repository."""
    return Path(os.environ.get("TUNIXRT_HOME") or REPOSITORY / "var")
