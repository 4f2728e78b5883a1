"""Pages and API of scores."""

import re

import pytest

from tests.factories import make_trace, make_traces
from traces import services
from traces.distributions import distribution
from traces.models import Score, Scoring, Trace
from traces.scorers import SCORERS
from tunixrt.jobs import work
from tunixrt.jobs.models import Job

pytestmark = pytest.mark.django_db

PAGE = "/traces/scores/"


def text_of(response) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def score(trace: Trace, points: float | None, *, version: str | None = None) -> None:
    version = version or SCORERS["arithmetic"].version
    Score.objects.create(trace=trace, scorer="arithmetic", version=version, score=points)


# distributions


def test_scores_are_counted_in_buckets():
    for trace, points in zip(make_traces(9), (0, 4.999, 5, 50, 99.9, 100, 100, None, 100), strict=True):
        score(trace, points)
    score(make_trace(), 100, version="0")
    found = distribution(SCORERS["arithmetic"])
    assert {bucket.low: bucket.count for bucket in found.buckets if bucket.count} == {0: 2, 5: 1, 50: 1, 95: 1, 100: 3}
    assert (found.traces, found.scored, found.judged, found.nothing, found.lacking) == (10, 9, 8, 1, 1)
    assert found.mean == pytest.approx((0 + 4.999 + 5 + 50 + 99.9 + 300) / 8)
    assert found.full == pytest.approx(3 / 8)
    assert found.older == {"0": 1}


def test_each_bar_leads_to_the_traces_that_it_counts(client_in):
    for trace, points in zip(make_traces(6), (0, 4.999, 5, 99.9, 100, 100), strict=True):
        score(trace, points)
    for bucket in distribution(SCORERS["arithmetic"]).buckets:
        listed = client_in.get(f"/traces/?{bucket.query}")
        assert listed.status_code == 200
        assert len(listed.context["found"].rows) == bucket.count


def test_without_scores_there_is_nothing_to_draw(client_in):
    make_traces(2)
    page = text_of(client_in.get(f"{PAGE}arithmetic/"))
    assert "Score 2 traces by arithmetic" in page
    assert "<svg" not in page


# pages


def test_the_page_names_every_scorer_and_asks_for_its_figures(client_in):
    make_traces(1)
    page = text_of(client_in.get(PAGE))
    for found in SCORERS.values():
        assert found.title in page
        assert f'hx-get="{PAGE}{found.name}/"' in page


def test_without_traces_the_page_says_what_to_do(client_in):
    page = text_of(client_in.get(PAGE))
    assert "no trace yet" in page
    assert 'href="/traces/import/"' in page


def test_the_figures_of_a_scorer_are_a_page_and_a_part_of_one(client_in):
    make_traces(3)
    services.score_traces(traces=Trace.objects.all(), scorer="arithmetic", by=None)
    page, part = client_in.get(f"{PAGE}arithmetic/"), client_in.get(f"{PAGE}arithmetic/", HTTP_HX_REQUEST="true")
    assert "<h1>" in text_of(page)
    assert "<h1>" not in text_of(part)
    for response in (page, part):
        assert 'aria-label="100 points: 3"' in text_of(response)
        assert "score.arithmetic.min=100" in text_of(response)
        assert "The lowest first" in text_of(response)


def test_the_figures_ask_few_queries(client_in, django_assert_max_num_queries):
    make_traces(5)
    services.score_traces(traces=Trace.objects.all(), scorer="all", by=None)
    with django_assert_max_num_queries(8):
        client_in.get(f"{PAGE}baseline/")


def test_a_scorer_that_does_not_exist_has_no_page(client_in):
    assert client_in.get(f"{PAGE}beauty/").status_code == 404


@pytest.mark.parametrize("name", ["all", "format"])
def test_a_button_scores_all_traces_and_the_page_shows_how_far_it_is(client_in, user, name):
    make_traces(3)
    page = text_of(client_in.post(PAGE, {"scorer": name}, follow=True))
    scoring = Scoring.objects.get()
    assert f'hx-get="/traces/scorings/{scoring.pk}/"' in page
    assert scoring.created_by == user
    work.perform(scoring.job.pk)
    ended = client_in.get(f"/traces/scorings/{scoring.pk}/", HTTP_HX_REQUEST="true")
    assert f"{3 * len(scoring.scorers)} new scores" in text_of(ended)
    assert ended["HX-Trigger"] == "scored"
    assert "hx-get" not in text_of(ended)


def test_an_unknown_scorer_begins_nothing(client_in):
    assert "is not a scorer" in text_of(client_in.post(PAGE, {"scorer": "beauty"}, follow=True))
    assert "names no scorer" in text_of(client_in.post(PAGE, follow=True))
    assert not Scoring.objects.exists()


def test_a_scoring_is_stopped_by_a_button(client_in):
    make_traces(3)
    scoring = services.begin_scoring(scorers=["all"], filters={"source": "book"}, by=None)
    page = text_of(client_in.post(f"/traces/scorings/{scoring.pk}/cancel/", follow=True))
    assert scoring.job.status == Job.Status.CANCELLED
    assert "What was scored stays" in page
    assert 'href="/traces/?source=book"' in page
    assert "has ended" in text_of(client_in.post(f"/traces/scorings/{scoring.pk}/cancel/", follow=True))


# API


def test_scoring_over_http_goes_on_in_the_background(api):
    make_trace(meta={"source": "book"})
    make_trace()
    body = {"filters": {"source": "book"}, "scorers": ["arithmetic", "format"]}
    answer = api.post("/api/traces/score", body, format="json")
    assert answer.status_code == 202
    assert (answer.data["status"], answer.data["scorers"]) == ("queued", ["arithmetic", "format"])
    work.perform(Scoring.objects.get().job.pk)
    ended = api.get(answer.data["url"]).data
    assert (ended["status"], ended["scored_count"], ended["progress"]["done"]) == ("done", 2, 1)


def test_scoring_over_http_means_all_traces_and_scorers_by_default(api):
    assert api.post("/api/traces/score", {}, format="json").data["scorers"] == list(SCORERS)


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"scorers": ["beauty"]}, ["scorers"]),
        ({"scorers": []}, ["scorers"]),
        ({"scorers": "all"}, ["scorers"]),
        ({"filters": {"min_score": "much"}}, ["filters", "min_score"]),
        ({"filters": 5}, ["filters"]),
        ({"traces": []}, ["traces"]),
        ([], []),
    ],
)
def test_a_request_that_breaks_a_rule_is_told_where(api, body, loc):
    answer = api.post("/api/traces/score", body, format="json")
    assert answer.status_code == 422
    assert answer.data["errors"][0]["loc"] == loc
    assert not Scoring.objects.exists()


def test_a_scoring_is_stopped_over_http(api):
    url = api.post("/api/traces/score", {}, format="json").data["url"]
    assert api.delete(url).data["status"] == "cancelled"
    assert api.delete(url).status_code == 409


def test_one_trace_is_scored_over_http_as_before(api):
    trace = make_trace(steps=["1 + 1 = 3"])
    answer = api.post(f"/api/traces/{trace.pk}/score", {"criteria": "arithmetic"}, format="json")
    assert (answer.status_code, answer.data["score"]) == (201, 0)
    assert answer.data["details"]["first_wrong"] == 0
    shown = api.get(f"/api/traces/{trace.pk}").data["scores"][0]
    assert (shown["scorer"], shown["first_wrong"]) == ("arithmetic", 0)
