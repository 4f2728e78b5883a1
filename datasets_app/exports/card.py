"""The dataset card: front matter that `datasets.load_dataset` goes by, and what a person wants to know.

What people wrote (filters, the instruction, rules) is fenced or escaped; the front matter holds names and numbers only.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import yaml

from datasets_app.exports.parquet import SCHEMA, Written
from datasets_app.models import Dataset
from training.markdown import escape, fenced

SIZES = (("n<1K", 10**3), ("1K<n<10K", 10**4), ("10K<n<100K", 10**5), ("100K<n<1M", 10**6), ("1M<n<10M", 10**7))
LOAD = """## How to load it

```python
from datasets import load_dataset

dataset = load_dataset("path/to/this/directory")
```

TRL's `SFTTrainer` wants `messages` alone, for a column `prompt` means to it that there is a `completion`:

```python
trainer = SFTTrainer(model, train_dataset=dataset["train"].select_columns(["messages"]))
```"""
COLUMNS = """## Columns

| column | what it holds |
|---|---|
| `id` | the trace's id |
| `prompt` | the question, without the instruction |
| `steps` | the steps in the trace's order: `i`, `type`, `content` |
| `final_answer` | the answer |
| `meta` | further facts as JSON text (`json.loads`) or null: they differ by row, and a column has one type |
| `messages` | what the model is taught: the user's turn with the instruction, the assistant's by the recipe |"""


def card(dataset: Dataset, files: Mapping[str, Written]) -> str:
    """The text of `README.md`; `files` says what was written for each split that has rows."""
    return "\n\n".join(["---\n" + _front_matter(dataset, files) + "---", *_sections(dataset, files)]) + "\n"


def path_of(split: str) -> str:
    """Where the rows of a split are, seen from the card."""
    return f"data/{split}-00000-of-00001.parquet"


def _front_matter(dataset: Dataset, files: Mapping[str, Written]) -> str:
    rows = sum(file.rows for file in files.values())
    contents = {
        "pretty_name": dataset.key,
        "task_categories": ["text-generation"],
        "tags": ["reasoning", "tunixrt"],
        "size_categories": [next(name for name, limit in SIZES if rows < limit)],
        "dataset_info": {
            "features": [_feature(field) for field in SCHEMA],
            "splits": [
                {"name": split, "num_bytes": file.bytes, "num_examples": file.rows} for split, file in files.items()
            ],
            "dataset_size": sum(file.bytes for file in files.values()),
        },
        "configs": [
            {"config_name": "default", "data_files": [{"split": split, "path": path_of(split)} for split in files]}
        ],
    }
    return yaml.safe_dump(contents, sort_keys=False)


def _feature(field: pa.Field) -> dict[str, Any]:
    if pa.types.is_list(field.type):
        return {"name": field.name, "list": [_feature(inner) for inner in field.type.value_type]}
    return {"name": field.name, "dtype": str(field.type)}


def _sections(dataset: Dataset, files: Mapping[str, Written]) -> Iterator[str]:
    rows = sum(file.rows for file in files.values())
    yield f"# {escape(dataset.key)}"
    yield f"{rows} reasoning traces, each a prompt, the steps to its answer and the answer, frozen by tunixrt."
    yield LOAD
    yield COLUMNS
    yield "## Splits"
    yield _table(("split", "rows"), [(split, file.rows) for split, file in files.items()])
    yield f"{escape(str(dataset.splits['rule']))}. A split without rows has no file."
    yield from _origin(dataset)
    yield from _checks(dataset)
    yield "## Identity"
    yield f"SHA-256 of the frozen file, all splits: `{dataset.content_sha256}`"


def _origin(dataset: Dataset) -> Iterator[str]:
    yield "## What was asked for"
    yield "The same request on the same traces gives the same rows."
    asked = {name: value for name, value in dataset.request.items() if value not in (None, {})}
    yield fenced(json.dumps(asked, indent=2, sort_keys=True, ensure_ascii=False))
    yield "## What the model is taught"
    yield f"Recipe: {escape(dataset.recipe)}. {'Instruction:' if dataset.instruction else 'No instruction.'}"
    if dataset.instruction:
        yield fenced(dataset.instruction)


def _checks(dataset: Dataset) -> Iterator[str]:
    yield "## Checks"
    found = [(escape(str(gate["check"])), gate["count"]) for gate in dataset.gates]
    yield _table(("rule", "rows that break it"), found)
    if dataset.is_contaminated:
        yield (
            f"**Contaminated**: {dataset.leak_count} rows of train give away what an evaluation set, a golden set or a "
            "row that is held out asks. A result on those says little."
        )


def _table(head: tuple[str, ...], rows: list[tuple]) -> str:
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
