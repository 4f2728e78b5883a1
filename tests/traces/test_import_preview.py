"""What a file would become, over the API and by the command."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from tests.factories import make_payload
from traces.models import Import, Trace
from traces.services.previews import PREVIEW_ROWS, SHOWN_FAULTS, SHOWN_TRACES

pytestmark = pytest.mark.django_db

GOOD = json.dumps(make_payload())
GSM8K = json.dumps({"question": "How many?", "answer": "2 + 3 = 5\n#### 5", "page": 7})


def dry_run(api, text: str, name: str = "rows.jsonl", **fields):
    upload = SimpleUploadedFile(name, text.encode())
    return api.post("/api/traces/import", {"file": upload, "dry_run": "true", **fields})


def test_a_dry_run_tells_format_mapping_traces_and_faults_and_keeps_nothing(api, home):
    response = dry_run(api, GSM8K + "\n" + GOOD, source="book")
    body = response.json()
    assert response.status_code == 200
    assert (body["format"], body["rows_read"], body["good_count"], body["bad_count"]) == ("gsm8k", 2, 1, 1)
    assert body["whole_file"]
    assert {"column": "question", "becomes": "prompt"} in body["mapping"]
    assert body["traces"][0]["meta"] == {"source": "book", "page": 7}
    assert body["errors"][0]["line"] == 2
    assert not Import.objects.exists()
    assert not Trace.objects.exists()
    assert not (home / "imports").exists()


def test_a_dry_run_reads_a_bounded_part(api):
    body = dry_run(api, "\n".join([GOOD] * (PREVIEW_ROWS + 1))).json()
    assert (body["rows_read"], body["whole_file"], len(body["traces"])) == (PREVIEW_ROWS, False, SHOWN_TRACES)
    body = dry_run(api, "\n".join([GOOD] * PREVIEW_ROWS)).json()
    assert (body["rows_read"], body["whole_file"]) == (PREVIEW_ROWS, True)
    body = dry_run(api, "\n".join([json.dumps(make_payload("x" * 49_000, meta={"x": "y" * 200_000}))] * 20)).json()
    assert body["rows_read"] < 10


def test_a_dry_run_of_a_file_that_nobody_can_read_says_why(api):
    body = dry_run(api, "not JSON\n" * 100).json()
    assert (body["format"], body["good_count"], len(body["errors"])) == (None, 0, SHOWN_FAULTS)
    assert dry_run(api, "rubbish", name="rows.parquet").json()["errors"][0]["type"] == "compressed"


@pytest.mark.parametrize(("field", "value"), [("format", "csv"), ("source", "x" * 201), ("dry_run", "perhaps")])
def test_a_dry_run_refuses_what_an_import_refuses(api, field, value):
    response = dry_run(api, GOOD, **{field: value})
    assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, [field])


def test_a_file_can_be_read_as_another_format(api):
    body = dry_run(api, GSM8K, format="prompt_completion").json()
    assert (body["format"], body["bad_count"]) == ("prompt_completion", 1)


def test_the_command_previews_too(tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    path.write_text(GSM8K + "\n{}")
    call_command("import_traces", str(path), "--dry-run")
    out = capsys.readouterr().out
    assert "rows.jsonl (gsm8k): of all 2 rows 1 are good, 1 bad" in out
    assert "question → prompt" in out
    assert "line 2: " in out
    call_command("import_traces", str(path), "--dry-run", "--json")
    assert json.loads(capsys.readouterr().out)["previews"][0]["bad_count"] == 1
    assert not Import.objects.exists()


def test_the_command_tells_of_a_file_that_is_not_there(tmp_path, capsys):
    with pytest.raises(SystemExit):
        call_command("import_traces", str(tmp_path / "none.jsonl"), "--dry-run")
    assert "No such file" in capsys.readouterr().err
