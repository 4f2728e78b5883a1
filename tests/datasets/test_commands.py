"""Datasets and evalsets from the command line."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from datasets_app.models import Dataset, EvalSet
from tests.factories import make_traces

pytestmark = pytest.mark.django_db


def run(*arguments) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_build_dataset_takes_filters_of_meta_with_their_type():
    make_traces(2, meta={"difficulty": 8})
    make_traces(1, meta={"difficulty": "8"})
    printed = json.loads(run("build_dataset", "set", "1", "--meta", "difficulty=8", "--strategy", "all", "--json"))
    assert (printed["dataset_key"], printed["trace_count"], printed["created"]) == ("set-1", 2, True)
    assert "set-1: frozen, 2 rows" in run("build_dataset", "set", "1", "--meta", "difficulty=8", "--strategy", "all")


@pytest.mark.parametrize(
    "arguments", [("set", "1"), ("../set", "1"), ("set", "1", "--meta", "x"), ("set", "1", "--limit=0")]
)
def test_build_dataset_fails_with_a_sentence_and_one(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        run("build_dataset", *arguments)
    assert stopped.value.code == 1
    assert capsys.readouterr().err.strip()
    assert not Dataset.objects.exists()


def test_the_golden_sets_are_seeded_and_stay_as_they_are():
    first = run("seed_golden_dataset")
    assert "golden-v1: frozen, 5 rows" in first
    assert run("seed_golden_dataset") == first
    assert "golden-v2" not in run("seed_golden_dataset", "--dataset", "golden-v1")


def test_seed_dataset_prints_what_it_made():
    printed = json.loads(run("seed_dataset", "--dataset", "chain-demo", "--count", "20", "--seed", "3", "--json"))
    assert (printed["dataset_key"], printed["trace_count"], printed["seed"]) == ("chain-demo", 20, 3)


def test_export_dataset_writes_a_file_or_prints(tmp_path):
    run("seed_golden_dataset")
    printed = run("export_dataset", "golden-v2", "--format", "messages", "--split", "test")
    assert len(printed.splitlines()) == 12
    target = tmp_path / "deep" / "out.jsonl"
    result = json.loads(
        run("export_dataset", "golden-v2", "--format", "messages", "--split", "test", "--output", str(target), "--json")
    )
    assert result["rows"] == 12
    assert target.read_text() == printed


def test_an_export_to_standard_output_is_the_rows_and_nothing_else():
    run("seed_golden_dataset", "--dataset", "golden-v1")
    assert len(run("export_dataset", "golden-v1", "--json").splitlines()) == 5


def test_with_json_a_file_that_cannot_be_used_is_told_in_json(tmp_path, capsys):
    run("seed_golden_dataset", "--dataset", "golden-v1")
    for arguments in (("export_dataset", "golden-v1", "--output", str(tmp_path)), ("import_evalset", str(tmp_path))):
        out = StringIO()
        with pytest.raises(SystemExit) as stopped:
            call_command(*arguments, "--json", stdout=out)
        assert stopped.value.code == 1
        assert "cannot be" in json.loads(out.getvalue())["detail"]


def test_export_dataset_of_nothing_fails(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run("export_dataset", "nothing-1", "--output", str(tmp_path / "out"))
    assert "There is no dataset" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_import_evalset_takes_a_path_or_a_shipped_name(tmp_path, capsys):
    assert json.loads(run("import_evalset", "eval_v1", "--json"))["item_count"] == 25
    with pytest.raises(SystemExit):
        run("import_evalset", str(tmp_path / "absent.jsonl"))
    assert "cannot be read" in capsys.readouterr().err
    assert EvalSet.objects.count() == 1
