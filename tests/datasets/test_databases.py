"""The same traces and the same request give the same bytes, whatever database stands behind."""

import pytest

from tests.stack import stack

pytestmark = [pytest.mark.services, pytest.mark.slow]

# Times that tie and times without a fraction, floats that jsonb would rewrite, texts that collations sort differently.
STORE = """
from datetime import datetime, timedelta, timezone
from training.canonical import stable_id
from training.schema import read_trace
from traces.services import store_traces
for i in range(60):
    payload = read_trace({
        "trace_version": "1.0", "prompt": f"{'aAäÄZ_'[i % 6]} number {i % 40}?", "final_answer": str(i),
        "steps": [{"i": 7, "type": "b", "content": "z\\u2028é"}, {"i": 0, "type": "a", "content": "\\U0001f600"}],
        "meta": {
            "weight": [1e2, 1.50, 1e22, -0.0, 5e-324, 0.1 + i], "source": "x", "big": 2**62 + i,
            "kind": [1, 1.0, "1", True, None, 1e22, -0.0, 5e-324, 2**62 + 1, "é\u2028", [1], 1.5][i % 12],
        },
    })
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=(i // 3) * 250_000)
    store_traces(payloads=[payload], ids=[stable_id(payload, i)], created_at=moment, by=None)
"""
MIX = (
    '[{"filters": {"kind": 1}, "weight": 3}, {"filters": {}, "weight": 0.5}, {"dataset_key": "random-1", "weight": 2}]'
)
BUILDS = {
    "latest-1": ("latest", "1", "--limit", "25"),
    "all-1": ("all", "1", "--strategy", "all", "--source", "x"),
    "words-1": ("words", "1", "--strategy", "all", "--q", "ä NUMBER"),
    "random-1": ("random", "1", "--strategy", "random", "--seed", "11", "--limit", "30"),
    "strata-1": ("strata", "1", "--stratify-by", "kind", "--seed", "11", "--limit", "23"),
    "strata-2": ("strata", "2", "--stratify-by", "kind", "--quotas", "equal", "--seed", "11", "--limit", "32"),
    "strata-3": (
        "strata",
        "3",
        "--stratify-by",
        "steps",
        "--quotas",
        '{"2": 7}',
        "--seed",
        "1",
        "--filter",
        "characters.max=18",
    ),
    "mix-1": ("mix", "1", "--mix", MIX, "--seed", "11", "--limit", "31"),
}


def built(home, kind) -> dict:
    with stack(home, kind) as installation:
        installation.manage("seed_golden_dataset")
        installation.manage("shell", "--no-imports", "-c", STORE)
        for arguments in BUILDS.values():
            installation.manage("build_dataset", *arguments)
        keys = [*BUILDS, "golden-v1", "golden-v2"]
        rows = {key: (home / "datasets" / key / "dataset.jsonl").read_bytes() for key in keys}
        return rows | {name: exported(installation, home / name, name) for name in ("trace", "tunix_sft", "parquet")}


def exported(installation, path, format) -> dict:
    """What `format` of the drawn dataset is, by file: what the database knows beside the rows is in it."""
    installation.manage("export_dataset", "random-1", "--format", format, "--output", str(path))
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {str(file.relative_to(path.parent)): file.read_bytes() for file in files}


def test_dataset_files_and_exports_are_byte_identical_on_sqlite_and_postgresql(tmp_path):
    embedded, server = built(tmp_path / "embedded", "embedded"), built(tmp_path / "services", "services")
    assert embedded == server
    assert len(embedded["all-1"].splitlines()) == 60
    assert len(embedded["parquet"]) == 4
    assert len(embedded["words-1"].splitlines()) == 20  # those with "ä" and those with "Ä": words have no case
