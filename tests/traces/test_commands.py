import json
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.factories import make_payload, make_trace
from traces.models import Import, Score, Trace

pytestmark = pytest.mark.django_db


@pytest.fixture
def command(capsys):
    """Runs a command; returns its exit code, its JSON answer and what it wrote for people."""

    def run(*arguments: str) -> tuple[int, dict, str]:
        code = 0
        try:
            call_command(*arguments, "--json")
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code, json.loads(out), err

    return run


def test_generated_traces_are_stored_once(command):
    first = command("generate_traces", "chain", "--count", "12", "--seed", "3")
    ids = set(Trace.objects.values_list("pk", flat=True))
    again = command("generate_traces", "chain", "--count", "12", "--seed", "3")
    assert (first[1]["new"], again[1]["new"], again[1]["count"]) == (12, 0, 12)
    assert set(Trace.objects.values_list("pk", flat=True)) == ids
    more = command("generate_traces", "chain", "--count", "15", "--seed", "3")
    assert more[1]["new"] == 3
    assert Trace.objects.filter(source="generated").count() == 15


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing", "--count", "1", "--seed", "1"),
        ("chain", "--count", "0", "--seed", "1"),
        ("chain", "--count", "1", "--seed", "-1"),
        ("chain", "--count", "1", "--seed", "1", "--difficulty", "0"),
    ],
)
def test_a_problem_that_cannot_be_made_is_told(command, arguments):
    code, answer, _ = command("generate_traces", *arguments)
    assert (code, answer["code"]) == (1, "invalid")
    assert not Trace.objects.exists()


def test_files_are_imported_and_counted(command, tmp_path):
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    one.write_text(json.dumps(make_payload("one")))
    two.write_text(json.dumps(make_payload("two")) + "\n" + json.dumps(make_payload("one")))
    code, answer, _ = command("import_traces", str(one), str(two))
    counts = [(row["file_name"], row["stored_count"], row["duplicate_count"]) for row in answer["imports"]]
    assert (code, counts) == (0, [("one.jsonl", 1, 0), ("two.jsonl", 1, 1)])
    assert one.exists()


def test_a_bad_file_fails_with_every_line(command, tmp_path):
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text(json.dumps(make_payload()))
    bad.write_text("5\n{}\n")
    code, answer, _ = command("import_traces", str(good), str(bad))
    assert (code, answer["code"]) == (1, "invalid_file")
    assert "bad.jsonl: nothing of it was imported. Imported before it: good.jsonl." in answer["detail"]
    assert {error["line"] for error in answer["errors"]} == {1, 2}
    assert Trace.objects.count() == 1


def test_bad_rows_go_to_a_file(command, tmp_path):
    path = tmp_path / "mixed.jsonl"
    path.write_text(json.dumps(make_payload()) + "\n{}\n")
    _, answer, _ = command("import_traces", str(path), "--skip-bad", "--format", "trace", "--source", "book")
    (row,) = answer["imports"]
    assert (row["stored_count"], row["bad_count"], row["source"]) == (1, 1, "book")
    assert json.loads(Path(row["rejected"]).read_text())["line"] == 2


@pytest.mark.parametrize("name", ["nope.jsonl", "."])
def test_a_file_that_cannot_be_opened_is_told(command, tmp_path, name):
    code, answer, _ = command("import_traces", str(tmp_path / name))
    assert (code, answer["code"]) == (1, "not_found")
    assert not Import.objects.exists()


def test_traces_are_scored_by_source(command):
    make_trace(meta={"source": "book"})
    make_trace()
    assert command("score_traces", "--source", "book")[1]["scored"] == 1
    assert command("score_traces")[1] == {"scorer": "baseline", "traces": 2, "scored": 1}
    assert Score.objects.count() == 2


def test_people_get_sentences(capsys, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(make_payload()) + "\n{}")
    call_command("import_traces", str(path), "--skip-bad")
    call_command("generate_traces", "addition", "--count", "2", "--seed", "1")
    call_command("score_traces")
    out = capsys.readouterr().out
    assert "rows.jsonl (trace): 1 stored, 0 known already, 1 bad" in out
    assert "2 traces of addition: 2 new, 0 known already" in out
    assert "3 traces scored by baseline, 3 scores are new" in out
