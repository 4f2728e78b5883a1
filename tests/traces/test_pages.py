import re
import uuid

import pytest

from tests.factories import make_trace, make_traces
from tests.traces.test_api import freeze
from traces import services
from traces.models import Trace

pytestmark = pytest.mark.django_db


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
