"""Evalset files: what is refused and where, the hash, and items made from a dataset's rows."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from training.errors import Invalid
from training.evalsets import evalset_sha256, item_from_row, read_evalset, validate_items, write_evalset
from training.judges import judge_output
from training.problems import generate_traces
from training.validate_evalset import main

SHIPPED = Path(__file__).parents[2] / "training" / "evalsets" / "eval_v1.jsonl"


def make_item(**changes) -> dict:
    item = {"id": "a", "prompt": "1 + 1?", "expected_answer": "2", "category": "arithmetic", "difficulty": "easy"}
    return item | changes


def write_lines(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def faults_of(path: Path) -> list[tuple]:
    with pytest.raises(Invalid) as caught:
        read_evalset(path)
    return [(fault.line, fault.loc, fault.type) for fault in caught.value.faults]


def test_the_shipped_evalset_has_25_items_of_four_kinds_that_judges_can_reach():
    items = read_evalset(SHIPPED)
    assert len(items) == 25
    assert {item["category"] for item in items} == {"arithmetic", "knowledge", "word problem", "conversion"}
    assert all(set(item) == {"id", "prompt", "expected_answer", "category", "difficulty", "section"} for item in items)
    assert all(judge_output(item, f"Answer: {item['expected_answer']}", "answer_only_v1")["correct"] for item in items)


def test_a_good_file_is_read_in_its_order(tmp_path):
    items = [make_item(id="b"), make_item(id="a", section="sums")]
    assert read_evalset(write_lines(tmp_path / "e.jsonl", items[0], "", items[1])) == items


def test_every_fault_has_its_line_and_field(tmp_path):
    missing = make_item(id="b")
    del missing["category"]
    path = write_lines(
        tmp_path / "e.jsonl",
        make_item(),
        "{not json",
        missing,
        make_item(id="c", prompt="  ", answer="2"),
        make_item(id="a", difficulty=3),
        make_item(id="d" * 129),
        '["list"]',
        make_item(id="nul", expected_answer="a\0"),
    )
    assert faults_of(path) == [
        (2, (), "json"),
        (3, ("category",), "missing_field"),
        (4, ("answer",), "unknown_field"),
        (4, ("prompt",), "empty"),
        (5, ("difficulty",), "wrong_type"),
        (5, ("id",), "duplicate_record"),
        (6, ("id",), "too_long"),
        (7, (), "not_object"),
        (8, ("expected_answer",), "nul_character"),
    ]


def test_a_repeated_id_names_the_line_that_has_it(tmp_path):
    with pytest.raises(Invalid, match="line 2, id: 'a' is the id of line 1 already"):
        read_evalset(write_lines(tmp_path / "e.jsonl", make_item(), make_item(prompt="2 + 2?")))


def test_an_empty_file_is_refused(tmp_path):
    assert faults_of(write_lines(tmp_path / "e.jsonl")) == [(1, (), "empty_file")]


def test_faults_stop_before_they_bury_the_first(tmp_path):
    assert len(faults_of(write_lines(tmp_path / "e.jsonl", *["x"] * 1000))) == 100


def test_items_in_memory_are_named_by_their_index():
    with pytest.raises(Invalid) as caught:
        validate_items([make_item(), make_item(prompt=None), make_item(id="c", steps=[])])
    assert [fault.loc for fault in caught.value.faults] == [(1, "prompt"), (1, "id"), (2, "steps")]
    with pytest.raises(Invalid, match="no items"):
        validate_items([])


def test_the_hash_ignores_key_order_and_spaces_but_not_content(tmp_path):
    item = make_item(prompt="Café × 2?")
    spaced = write_lines(
        tmp_path / "s.jsonl", json.dumps(dict(reversed(item.items())), indent=None, separators=(" ,  ", " : "))
    )
    assert evalset_sha256(read_evalset(spaced)) == evalset_sha256([item])
    assert evalset_sha256([make_item(expected_answer="3")]) != evalset_sha256([make_item()])
    pair = [make_item(), make_item(id="b")]
    assert evalset_sha256(pair) != evalset_sha256(pair[::-1])


def test_a_written_file_reads_back_and_has_the_evalsets_hash(tmp_path):
    items = [item_from_row(row) for row in make_rows()]
    write_evalset(tmp_path / "e.jsonl", items)
    assert read_evalset(tmp_path / "e.jsonl") == items
    assert sha256((tmp_path / "e.jsonl").read_bytes()).hexdigest() == evalset_sha256(items)


def make_rows() -> list[dict]:
    return [{"id": f"row-{index}", **trace} for index, trace in enumerate(generate_traces("chain", count=3, seed=7))]


def test_a_row_becomes_an_item_with_its_reference():
    row = make_rows()[0]
    item = item_from_row(row)
    assert item == {
        "id": "row-0",
        "prompt": row["prompt"],
        "expected_answer": row["final_answer"],
        "category": "chain",
        "difficulty": "8",
        "steps": row["steps"],
    }
    validate_items([item])


@pytest.mark.parametrize(
    ("meta", "category", "difficulty"),
    [
        (None, "dataset", "unspecified"),
        ({}, "dataset", "unspecified"),
        ({"source": "gsm8k", "difficulty": "hard"}, "gsm8k", "hard"),
        ({"source": ["x"], "difficulty": True}, "dataset", "unspecified"),
        ({"source": "s" * 1000, "problem": "  "}, "s" * 128, "unspecified"),
    ],
)
def test_labels_come_from_meta_where_it_has_any(meta, category, difficulty):
    item = item_from_row({**make_rows()[0], "meta": meta})
    assert (item["category"], item["difficulty"]) == (category, difficulty)
    validate_items([item])


def test_the_command_says_valid_with_count_and_hash(capsys):
    assert main([str(SHIPPED)]) == 0
    assert f"valid, 25 items, sha256 {evalset_sha256(read_evalset(SHIPPED))}" in capsys.readouterr().out


def test_the_command_prints_a_verdict_a_file_and_every_fault(tmp_path, capsys):
    bad = write_lines(tmp_path / "bad.jsonl", make_item(), make_item(id="b", prompt=""))
    assert main([str(SHIPPED), str(bad)]) == 1
    out = capsys.readouterr().out
    assert "eval_v1.jsonl: valid" in out
    assert "bad.jsonl: invalid" in out
    assert "line 2, prompt: is empty" in out


def test_the_command_without_a_readable_file_is_wrong_use(tmp_path, capsys):
    assert main([str(SHIPPED), str(tmp_path / "absent.jsonl")]) == 2
    assert "absent.jsonl" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 2
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2


def test_the_module_runs_beside_its_folder_of_files_and_loads_neither_jax_nor_django():
    code = (
        "import sys, training.evalsets, training.eval_report, training.validate_evalset, training.results; "
        "assert training.evalsets.__file__.endswith('evalsets.py'); "
        "assert not {'jax', 'django'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SHIPPED.parents[2])
