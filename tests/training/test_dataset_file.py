import json

import pytest

from training.dataset_file import read_dataset
from training.errors import Invalid

TRACE = {
    "trace_version": "1.0",
    "prompt": "What is 2 + 2?",
    "steps": [{"i": 0, "type": "compute", "content": "2 + 2 = 4"}],
    "final_answer": "4",
}
ROW = {"id": "a", "split": "test", **{key: TRACE[key] for key in ("prompt", "steps", "final_answer")}, "meta": None}


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def faults(path) -> list[tuple]:
    with pytest.raises(Invalid) as error:
        read_dataset(path)
    return [(fault.line, ".".join(map(str, fault.loc)), fault.type) for fault in error.value.faults]


def test_dataset_rows_keep_id_and_split(tmp_path):
    assert read_dataset(write(tmp_path / "d", ROW)) == [ROW]


def test_traces_get_a_stable_id_and_the_split_of_the_rule(tmp_path):
    path = write(tmp_path / "d", TRACE, TRACE)
    first, second = read_dataset(path)
    assert first["id"] != second["id"]
    assert first["split"] == second["split"]
    assert read_dataset(path) == [first, second]


def test_every_fault_has_its_line(tmp_path):
    path = write(tmp_path / "d", ROW, ROW | {"id": "b", "split": "exam"}, ROW | {"id": "c", "prompt": 7}, ROW)
    assert faults(path) == [
        (2, "split", "unknown_value"),
        (3, "prompt", "wrong_type"),
        (4, "id", "duplicate_record"),
    ]


def test_what_is_no_json_is_named_by_line(tmp_path):
    path = tmp_path / "d"
    path.write_text(json.dumps(ROW) + "\n{oops\n[1]\n")
    assert [(line, code) for line, _, code in faults(path)] == [(2, "json"), (3, "not_object")]


def test_an_empty_file_is_no_dataset(tmp_path):
    (tmp_path / "d").touch()
    assert [code for _, _, code in faults(tmp_path / "d")] == ["empty_file"]
