"""Run in the peer environment: what `datasets.load_dataset` makes of a directory, or of a file of JSON lines.

`python tests/peers/load_rows.py SOURCE RESULT.json`: `{"features", "splits": {name: rows}}`.
"""

import json
import sys
from pathlib import Path

from datasets import load_dataset

source, result = map(Path, sys.argv[1:])
loaded = load_dataset(str(source)) if source.is_dir() else load_dataset("json", data_files=str(source))
features = next(iter(loaded.values())).features._to_yaml_list()
result.write_text(json.dumps({"features": features, "splits": {name: list(part) for name, part in loaded.items()}}))
