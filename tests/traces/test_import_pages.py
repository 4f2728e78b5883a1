"""Pages of imports: upload, preview, import, progress, undo."""

import io
import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from tests.factories import make_payload, make_trace
from tests.traces.test_api import freeze
from traces import services
from traces.forms.imports import FORMAT_HELP
from traces.models import Import, Trace
from traces.services.previews import PREVIEW_ROWS
from tunixrt.jobs import work

pytestmark = pytest.mark.django_db

GSM8K = json.dumps({"question": "How many?", "answer": "2 + 3 = 5\n#### 5"})


def upload(client, data: bytes | str, name: str = "rows.jsonl") -> Import:
    """Brings a file to the page; returns the import that waits for a decision."""
    data = data.encode() if isinstance(data, str) else data
    response = client.post("/traces/import/", {"file": SimpleUploadedFile(name, data)})
    row = Import.objects.latest("created_at")
    assert (response.status_code, response["Location"]) == (302, f"/traces/imports/{row.pk}/")
    return row


def page_of(client, row: Import, query: str = "") -> str:
    return client.get(f"/traces/imports/{row.pk}/{query}").content.decode()


def start(client, row: Import, **fields):
    return client.post(f"/traces/imports/{row.pk}/start/", {"format": "auto", "source": "", **fields})


def loading_import() -> Import:
    data = io.BytesIO(json.dumps(make_payload()).encode())
    return services.import_file(file=data, file_name="rows.jsonl", at_once=False, by=None)


def test_a_file_is_looked_at_first_and_then_imported(client_in, user):
    row = upload(client_in, json.dumps(make_payload("from a file", steps=["worked out"])))
    page = page_of(client_in, row)
    for shown in ("Read as <b>trace</b>", "from a file", "worked out", "All 1 row", "Import 1 trace"):
        assert shown in page
    assert (row.status, row.created_by, Trace.objects.count()) == ("waiting", user, 0)
    start(client_in, row)
    row.refresh_from_db()
    assert (row.status, row.stored_count, row.source) == ("done", 1, "rows.jsonl")
    assert "rows.jsonl" in client_in.get("/traces/imports/").content.decode()
    assert "from a file" in client_in.get(f"/traces/?import.id={row.pk}").content.decode()


def test_the_preview_shows_what_each_column_becomes_and_reads_a_file_as_another_format(client_in):
    row = upload(client_in, GSM8K)
    page = page_of(client_in, row)
    assert "<td>question</td><td><code>prompt</code></td>" in page
    other = page_of(client_in, row, "?format=alpaca")
    assert "is missing" in other
    assert 'name="format" value="alpaca"' in other
    unknown = client_in.get(f"/traces/imports/{row.pk}/?format=csv")
    assert (unknown.status_code, "not a known format" in unknown.content.decode()) == (422, True)


def test_the_preview_tells_faults_and_stores_nothing(client_in):
    row = upload(client_in, GSM8K + "\n{}\nnot JSON")
    page = page_of(client_in, row)
    for shown in ("1 good, 2 bad", "line 2", "line 3"):
        assert shown in page
    assert not Trace.objects.exists()
    start(client_in, row, skip_bad="on")
    row.refresh_from_db()
    assert (row.status, row.stored_count, row.bad_count) == ("done", 1, 2)


def test_the_preview_of_a_long_file_reads_its_beginning(client_in):
    row = upload(client_in, "\n".join([GSM8K] * (PREVIEW_ROWS + 1)))
    assert f"The first {PREVIEW_ROWS} rows" in page_of(client_in, row)


@pytest.mark.parametrize("data", [b"\0\xff", b"\n", b"[[[", b'{"a": 1}'])
def test_a_file_that_nobody_can_read_has_a_page_that_says_so(client_in, data):
    row = upload(client_in, data)
    page = page_of(client_in, row)
    assert 'role="alert"' in page
    start(client_in, row)
    row.refresh_from_db()
    assert (row.status, "Nothing was imported" in page_of(client_in, row)) == ("failed", True)


def test_a_file_is_imported_once_however_often_the_button_is_pressed(client_in):
    row = upload(client_in, GSM8K)
    start(client_in, row)
    again = client_in.post(f"/traces/imports/{row.pk}/start/", {"format": "auto"}, follow=True).content.decode()
    assert "cannot become loading" in again
    assert Trace.objects.count() == 1


def test_a_file_can_be_discarded(client_in, home, django_capture_on_commit_callbacks):
    row = upload(client_in, GSM8K)
    with django_capture_on_commit_callbacks(execute=True):
        page = client_in.post(f"/traces/imports/{row.pk}/discard/", follow=True).content.decode()
    assert "is discarded" in page
    assert not Import.objects.exists()
    assert list((home / "imports").iterdir()) == []


def test_an_import_that_was_begun_is_not_discarded(client_in):
    row = upload(client_in, GSM8K)
    start(client_in, row)
    page = client_in.post(f"/traces/imports/{row.pk}/discard/", follow=True).content.decode()
    assert "cannot become cancelled" in page
    assert Trace.objects.count() == 1


def test_a_file_that_nobody_decided_on_makes_room_for_the_next(client_in, home, django_capture_on_commit_callbacks):
    old, young = upload(client_in, GSM8K), upload(client_in, GSM8K)
    Import.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(hours=25))
    with django_capture_on_commit_callbacks(execute=True):
        upload(client_in, GSM8K)
    assert not Import.objects.filter(pk=old.pk).exists()
    assert young.source_path.exists()
    assert not old.directory.exists()


@pytest.mark.parametrize("fields", [{"format": "csv"}, {"source": "x" * 300}, {"source": "a\0b"}])
def test_a_wrong_option_is_told_on_the_preview(client_in, fields):
    row = upload(client_in, GSM8K)
    assert start(client_in, row, **fields).status_code == 422
    row.refresh_from_db()
    assert row.status == "waiting"


def test_no_file_at_all_is_told_on_the_form(client_in):
    response = client_in.post("/traces/import/", {})
    assert (response.status_code, "This field is required" in response.content.decode()) == (422, True)


def test_a_file_that_is_too_large_is_told_on_the_form(client_in, settings):
    settings.UPLOAD_MAX_BYTES = 100
    response = client_in.post("/traces/import/", {"file": SimpleUploadedFile("rows.jsonl", b"x" * 200)})
    assert (response.status_code, "larger than 100 bytes" in response.content.decode()) == (422, True)
    assert not Import.objects.exists()


def test_a_full_disk_is_told_on_the_form(client_in, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    response = client_in.post("/traces/import/", {"file": SimpleUploadedFile("rows.jsonl", GSM8K.encode())})
    assert (response.status_code, "The disk is full" in response.content.decode()) == (422, True)


def test_a_loading_import_asks_again_until_it_has_ended(client_in):
    row = loading_import()
    page = page_of(client_in, row)
    assert 'hx-trigger="every 1s"' in page
    assert "Cancel" in page
    while (job := row.job) and job.is_open:
        work.perform(job.pk)
    fragment = client_in.get(f"/traces/imports/{row.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert "hx-trigger" not in fragment
    assert "Stored" in fragment


def test_a_loading_import_is_cancelled_by_a_button(client_in):
    row = loading_import()
    page = client_in.post(f"/traces/imports/{row.pk}/cancel/", follow=True).content.decode()
    row.refresh_from_db()
    assert (row.status, "cancelled" in page.lower()) == ("cancelled", True)
    again = client_in.post(f"/traces/imports/{row.pk}/cancel/", follow=True).content.decode()
    assert "has ended" in again


def test_rows_that_were_left_out_can_be_downloaded(client_in):
    row = upload(client_in, GSM8K + "\n{}")
    start(client_in, row, skip_bad="on")
    response = client_in.get(f"/traces/imports/{row.pk}/rejected.jsonl")
    assert json.loads(b"".join(response.streaming_content))["line"] == 2
    assert "attachment" in response["Content-Disposition"]
    good = upload(client_in, json.dumps(make_payload("good")))
    start(client_in, good)
    assert client_in.get(f"/traces/imports/{good.pk}/rejected.jsonl").status_code == 404


@pytest.mark.parametrize("help", FORMAT_HELP, ids=lambda help: help.name)
def test_each_example_of_a_format_can_be_imported(client_in, help):
    row = upload(client_in, help.example)
    assert f"Read as <b>{help.name}</b>" in page_of(client_in, row)
    start(client_in, row)
    row.refresh_from_db()
    assert (row.status, row.format) == ("done", help.name)


def test_an_import_is_undone_by_a_button(client_in):
    row = upload(client_in, GSM8K)
    start(client_in, row)
    assert "Undo this import" in page_of(client_in, row)
    page = client_in.post(f"/traces/imports/{row.pk}/undo/", follow=True).content.decode()
    assert "out of sight" in page
    assert not Trace.objects.visible().exists()
    work.perform(row.job.pk)
    row.refresh_from_db()
    assert (row.status, Trace.objects.count()) == ("undone", 0)
    assert "Were stored" in page_of(client_in, row)


def test_an_import_that_a_dataset_is_made_of_is_not_undone(client_in):
    row = upload(client_in, GSM8K)
    start(client_in, row)
    freeze(row.traces.get())
    page = client_in.post(f"/traces/imports/{row.pk}/undo/", follow=True).content.decode()
    assert "1 of its traces are in use as dataset items" in page
    assert Trace.objects.visible().count() == 1


def test_near_duplicates_are_counted_and_linked(client_in):
    make_trace("What is 27 × 19, worked out in long hand?", steps=["27 × 10 = 270", "27 × 9 = 243", "270 + 243 = 513"])
    twin = make_payload(
        "what is 27 × 19, worked out  in long hand ?", steps=["27 × 10 = 270", "27 × 9 = 243", "270 + 243 = 513"]
    )
    row = upload(client_in, json.dumps(twin))
    services.find_twins(by=None, at_once=True)
    start(client_in, row)
    page = page_of(client_in, row)
    assert f'href="/traces/?import.id={row.pk}&amp;twin.is=true">1</a>' in page


def test_the_button_looks_for_near_duplicates_once_at_a_time(client_in, rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            response = client_in.post("/traces/twins/find/")
            assert response["Location"] == "/traces/?twin.is=true"
    assert [job.kind for job in rung] == ["find_twins"]
