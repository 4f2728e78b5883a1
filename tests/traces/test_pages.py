import io
import json
import re
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.factories import make_payload, make_trace, make_traces
from tests.traces.test_api import freeze
from traces import services
from traces.forms import FORMAT_HELP
from traces.models import Import, Trace
from tunixrt.jobs import work

pytestmark = pytest.mark.django_db


def upload(client, data: bytes, **fields):
    return client.post("/traces/import/", {"file": SimpleUploadedFile("rows.jsonl", data), "format": "auto", **fields})


def waiting_import() -> Import:
    data = io.BytesIO(json.dumps(make_payload()).encode())
    return services.import_file(file=data, file_name="rows.jsonl", at_once=False, by=None)


def test_an_empty_list_teaches_the_ways_to_bring_traces(client_in):
    page = client_in.get("/traces/").content.decode()
    for hint in ("/traces/import/", "generate_traces", "POST", "/api/traces"):
        assert hint in page


def test_the_list_shows_traces_and_leads_to_the_next_page(client_in):
    make_traces(30, meta={"source": "book"})
    page = client_in.get("/traces/").content.decode()
    assert "What is 27 × 29?" in page
    older = client_in.get("/traces/" + re.search(r'rel="next" href="([^"]+)"', page)[1]).content.decode()
    assert "What is 27 × 0?" in older
    assert "What is 27 × 29?" not in older
    newer = client_in.get("/traces/" + re.search(r'rel="prev" href="([^"]+)"', older)[1]).content.decode()
    assert "What is 27 × 29?" in newer


def test_a_filter_stays_in_the_url_and_in_the_form(client_in):
    make_trace("Ottawa", meta={"source": "book"})
    make_trace("Quito")
    page = client_in.get("/traces/?q=otta&source=book").content.decode()
    assert "Ottawa" in page
    assert "Quito" not in page
    assert 'value="otta"' in page
    none = client_in.get("/traces/?q=Lima").content.decode()
    assert "No trace passes this filter" in none


ODD = [
    "min_score=abc",
    "q=%00",
    "after=-1",
    "before=x",
    "import.id=5",
    "foo=1",
    "sort=prettiest",
    "q=%C3%97",
    "wrong.x=1",
]


@pytest.mark.parametrize("query", ODD)
def test_an_odd_address_of_the_list_is_told_what_is_wrong(client_in, query):
    make_trace()
    page = client_in.get(f"/traces/?{query}")
    assert page.status_code == 422
    assert "This filter cannot be applied" in page.content.decode()


def test_a_wrong_filter_is_told(client_in):
    make_trace()
    assert "must be a number" in client_in.get("/traces/?min_score=abc").content.decode()


def test_the_list_asks_few_queries(client_in, django_assert_num_queries):
    traces = make_traces(25, meta={"source": "book"})
    services.score_traces(traces=Trace.objects.all(), by=None)
    with django_assert_num_queries(5):  # session, user, rows, their tags, how many
        client_in.get("/traces/?source=book")
    with django_assert_num_queries(8):  # session, user, trace, its scores, reviews, tags, older and newer twins
        client_in.get(f"/traces/{traces[0].pk}/")


def test_a_trace_shows_its_steps_answer_meta_and_datasets(client_in):
    trace = make_trace(steps=["first thing", "second thing"], meta={"source": "book", "level": 3})
    page = client_in.get(f"/traces/{trace.pk}/").content.decode()
    for shown in ("first thing", "second thing", "513", "level", f"/traces/{trace.pk}/datasets/"):
        assert shown in page


def test_a_trace_is_scored_and_deleted_by_a_button(client_in):
    trace = make_trace()
    page = client_in.post(f"/traces/{trace.pk}/score/", follow=True).content.decode()
    assert "Scored" in page
    assert "mean step length" in page
    page = client_in.post(f"/traces/{trace.pk}/delete/", follow=True).content.decode()
    assert "deleted" in page
    assert not Trace.objects.exists()


def test_a_trace_that_a_dataset_holds_is_not_deleted(client_in):
    trace = make_trace()
    freeze(trace)
    page = client_in.post(f"/traces/{trace.pk}/delete/", follow=True).content.decode()
    assert "a dataset holds it" in page
    assert Trace.objects.exists()


@pytest.mark.parametrize("action", ["score", "delete"])
def test_what_changes_something_is_a_post(client_in, action):
    assert client_in.get(f"/traces/{make_trace().pk}/{action}/").status_code == 405


def test_two_traces_are_compared_step_by_step(client_in):
    base, other = make_trace(steps=["same", "mine"]), make_trace(steps=["same", "yours", "more"])
    page = client_in.get(f"/traces/compare/?base={base.pk}&other={other.pk}").content.decode()
    assert page.count("status warning") == 2
    assert "<mark>mine</mark>" in page
    assert "Added" in page


@pytest.mark.parametrize("query", ["", "base=x&other=y", "base={id}"])
def test_a_comparison_of_less_than_two_says_what_to_do(client_in, query):
    page = client_in.get(f"/traces/compare/?{query.format(id=make_trace().pk)}", follow=True).content.decode()
    assert "Choose two traces" in page


def test_a_page_of_something_that_is_not_there(client_in):
    nobody = uuid.uuid4()
    for path in (f"/traces/{nobody}/", f"/traces/imports/{nobody}/", f"/traces/compare/?base={nobody}&other={nobody}"):
        assert client_in.get(path).status_code == 404


def test_a_file_is_imported_from_the_page(client_in, user):
    response = upload(client_in, json.dumps(make_payload("from a file")).encode())
    row = Import.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"/traces/imports/{row.pk}/")
    assert (row.stored_count, row.created_by) == (1, user)
    assert "rows.jsonl" in client_in.get("/traces/imports/").content.decode()
    assert "from a file" in client_in.get(f"/traces/?import.id={row.pk}").content.decode()


def test_a_bad_file_is_told_on_the_form(client_in):
    response = upload(client_in, b'{"prompt": 5}')
    page = response.content.decode()
    assert response.status_code == 422
    assert "line 1" in page
    assert "is a number; it must be a text" in page


@pytest.mark.parametrize("fields", [{"format": "csv"}, {"source": "x" * 300}, {"source": "a\0b"}])
def test_a_wrong_option_is_told_on_the_form(client_in, fields):
    response = upload(client_in, b"{}", **fields)
    assert response.status_code == 422
    assert not Import.objects.exists()


def test_no_file_at_all_is_told_on_the_form(client_in):
    response = client_in.post("/traces/import/", {"format": "auto"})
    assert (response.status_code, "This field is required" in response.content.decode()) == (422, True)


def test_a_file_that_is_too_large_is_told_on_the_form(client_in, settings):
    settings.UPLOAD_MAX_BYTES = 100
    response = upload(client_in, b"x" * 200)
    assert (response.status_code, "larger than 100 bytes" in response.content.decode()) == (422, True)


def test_a_loading_import_asks_again_until_it_has_ended(client_in):
    row = waiting_import()
    page = client_in.get(f"/traces/imports/{row.pk}/").content.decode()
    assert 'hx-trigger="every 1s"' in page
    assert "Cancel" in page
    work.perform(row.job.pk)
    fragment = client_in.get(f"/traces/imports/{row.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert "hx-trigger" not in fragment
    assert "Stored" in fragment


def test_a_loading_import_is_cancelled_by_a_button(client_in):
    row = waiting_import()
    page = client_in.post(f"/traces/imports/{row.pk}/cancel/", follow=True).content.decode()
    row.refresh_from_db()
    assert (row.status, "cancelled" in page.lower()) == ("cancelled", True)
    again = client_in.post(f"/traces/imports/{row.pk}/cancel/", follow=True).content.decode()
    assert "has ended" in again


def test_rows_that_were_left_out_can_be_downloaded(client_in):
    upload(client_in, json.dumps(make_payload()).encode() + b"\n{}", skip_bad="on")
    row = Import.objects.get()
    response = client_in.get(f"/traces/imports/{row.pk}/rejected.jsonl")
    assert json.loads(b"".join(response.streaming_content))["line"] == 2
    assert "attachment" in response["Content-Disposition"]
    upload(client_in, json.dumps(make_payload("good")).encode())
    good = Import.objects.get(bad_count=0)
    assert client_in.get(f"/traces/imports/{good.pk}/rejected.jsonl").status_code == 404


@pytest.mark.parametrize("help", FORMAT_HELP, ids=lambda help: help.name)
def test_each_example_of_a_format_can_be_imported(client_in, help):
    upload(client_in, help.example.encode())
    row = Import.objects.get()
    assert (row.status, row.format) == ("done", help.name)
