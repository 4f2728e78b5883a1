"""What people say of steps: the rules, the API, the queue and its pages without a script."""

import json
import uuid

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from tests.factories import NOBODY, make_payload, make_trace, make_traces, make_user, store
from tests.stack import stack
from traces import services
from traces.models import Import, Score, StepReview, Trace, Twin
from traces.scorers import SCORERS, VERDICTS
from training.errors import Invalid
from tunixrt.lib.errors import Conflict, NotFound

pytestmark = pytest.mark.django_db

QUEUE, DISAGREEMENTS = "/traces/review/", "/traces/review/disagreements/"


def rate(trace: Trace, by, *ratings: int, note: str = "") -> None:
    """The ratings of the first steps, in order."""
    for step, rating in enumerate(ratings):
        services.review_step(trace=trace, step=step, rating=rating, note=note, by=by)


def ratings_of(trace: Trace, by) -> dict[int, int]:
    return dict(StepReview.objects.filter(trace=trace, reviewer=by).values_list("step", "rating"))


# --- The rules ----------------------------------------------------------------------------------------


def test_a_rating_is_made_then_changed(user):
    trace = make_trace(steps=3)
    first = services.review_step(trace=trace, step=1, rating=1, note="nice", by=user)
    again = services.review_step(trace=trace, step=1, rating=0, by=user)
    assert (first.pk, again.rating, again.note) == (again.pk, 0, "")
    assert ratings_of(trace, user) == {1: 0}


def test_the_same_rating_again_changes_nothing_that_undo_would_see(user):
    trace = make_trace(steps=3)
    rate(trace, user, 1, 1)
    services.review_step(trace=trace, step=0, rating=1, note="on second thoughts", by=user)
    assert services.undo_review(by=user).step == 1


def test_nothing_is_judged_after_ones_own_mistake(user):
    trace = make_trace(steps=4)
    rate(trace, user, 1, -1)
    with pytest.raises(Conflict, match="You called step 2 a mistake"):
        services.review_step(trace=trace, step=2, rating=1, by=user)
    services.review_step(trace=trace, step=2, rating=1, by=make_user())  # another person may see it otherwise
    services.review_step(trace=trace, step=1, rating=0, by=user)
    services.review_step(trace=trace, step=2, rating=1, by=user)
    assert ratings_of(trace, user) == {0: 1, 1: 0, 2: 1}


def test_a_mistake_drops_what_this_person_said_of_later_steps(user):
    trace, other = make_trace(steps=4), make_user()
    rate(trace, user, 1, 1, 1, 1)
    rate(trace, other, 1, 1, 1, 1)
    services.review_step(trace=trace, step=1, rating=-1, by=user)
    assert ratings_of(trace, user) == {0: 1, 1: -1}
    assert len(ratings_of(trace, other)) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"step": 3}, "it has 0 to 2"),
        ({"step": -1}, "no step"),
        ({"step": 10**30}, "no step"),
        ({"step": True}, "no step"),
        ({"step": "1"}, "no step"),
        ({"rating": 2}, "must be -1"),
        ({"rating": True}, "must be -1"),
        ({"rating": 1.0}, "must be -1"),
        ({"rating": None}, "must be -1"),
        ({"rating": []}, "must be -1"),
        ({"note": None}, "must be a text"),
        ({"note": "x" * 2001}, "at most 2000"),
        ({"note": "a\0b"}, "NUL"),
        ({"note": "\ud800"}, "surrogate"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_stored(user, wrong, message):
    request = {"step": 0, "rating": 1, "note": ""} | wrong
    with pytest.raises(Invalid, match=message):
        services.review_step(trace=make_trace(steps=3), by=user, **request)
    assert not StepReview.objects.exists()


def test_steps_are_named_by_their_i_wherever_it_begins(user):
    payload = make_payload(steps=2)
    payload["steps"][0]["i"], payload["steps"][1]["i"] = 5, 2**53
    trace = store([payload])[0]
    services.review_step(trace=trace, step=2**53, rating=-1, by=user)
    services.review_step(trace=trace, step=5, rating=-1, by=user)
    assert ratings_of(trace, user) == {5: -1}


def test_a_trace_that_was_deleted_meanwhile_is_not_reviewed(user):
    trace = make_trace()
    services.delete_trace(trace=Trace.objects.get(pk=trace.pk))
    with pytest.raises(NotFound):
        services.review_step(trace=trace, step=0, rating=1, by=user)


def test_undo_takes_back_the_latest_rating_of_this_person_only(user):
    trace, other = make_trace(steps=3), make_user()
    rate(trace, user, 1, 1)
    rate(trace, other, 1)
    services.review_step(trace=trace, step=0, rating=-1, by=user)  # changed last, and step 1 is dropped
    undone = services.undo_review(by=user)
    assert (undone.trace_id, undone.step, undone.rating) == (trace.pk, 0, -1)
    assert services.undo_review(by=user) is None
    assert ratings_of(trace, other) == {0: 1}


def test_a_double_click_on_undo_takes_one_rating_back(user):
    trace = make_trace(steps=3)
    rate(trace, user, 1, 1, 1)
    latest = services.latest_review(user).pk
    assert services.undo_review(by=user, latest=latest).step == 2
    assert services.undo_review(by=user, latest=latest) is None
    assert len(ratings_of(trace, user)) == 2


def test_a_person_who_leaves_leaves_their_ratings():
    other, trace = make_user(), make_trace()
    rate(trace, other, 1)
    other.delete()
    assert StepReview.objects.get().to_dict()["reviewer"] is None


class TestConvention(TestCase):
    """Whatever is done in whatever order, a person's ratings of a trace end with their first mistake."""

    actions = st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 4), st.sampled_from([-1, 0, 1, "back", "undo"])), max_size=25
    )

    @given(actions)
    def test_ratings_end_with_the_first_mistake(self, actions):
        trace, people = make_trace(steps=5), (make_user(), make_user())
        expected: tuple[dict, dict] = ({}, {})
        for person, step, action in actions:
            self.act(trace, people[person], expected[person], step, action)
        for person, said in zip(people, expected, strict=True):
            assert ratings_of(trace, person) == said
            mistakes = [step for step, rating in said.items() if rating == -1]
            assert len(mistakes) <= 1
            assert not mistakes or max(said) == mistakes[0]
            is_finished = bool(mistakes) or len(said) == 5
            assert services.has_finished(trace, person) == is_finished
            queued = services.review_queue(filters={}, by=person).filter(pk=trace.pk).exists()
            assert queued != is_finished

    def act(self, trace, person, said: dict, step: int, action) -> None:
        match action:
            case "undo":
                undone = services.undo_review(by=person)
                assert bool(undone) == bool(said)
                assert not undone or said.pop(undone.step) == undone.rating
            case "back":
                try:
                    services.take_back_review(trace=trace, step=step, by=person)
                    del said[step]
                except NotFound:
                    assert step not in said
            case rating:
                mistake = next((i for i, given in said.items() if given == -1), 5)
                try:
                    services.review_step(trace=trace, step=step, rating=rating, by=person)
                except Conflict:
                    assert mistake < step
                    return
                assert mistake >= step
                said[step] = rating
                if rating == -1:
                    for later in [i for i in said if i > step]:
                        del said[later]


CLICKS = """
import json
from concurrent.futures import ThreadPoolExecutor
from django.contrib.auth import get_user_model
from django.db import connection
from traces import services
from traces.models import StepReview, Trace
from tunixrt.lib.errors import Conflict
steps = [{"i": i, "type": "t", "content": "x"} for i in range(3)]
payload = {"trace_version": "1.0", "prompt": "p", "steps": steps, "final_answer": "x", "meta": None}
trace = Trace.objects.get(pk=services.store_traces(payloads=[payload], by=None)[0])
person = get_user_model().objects.create_user("ada")
def say(click):
    try:
        services.review_step(trace=trace, step=click[0], rating=click[1], by=person)
    except Conflict:
        pass
    finally:
        connection.close()
left = []
for _ in range(10):
    with ThreadPoolExecutor(6) as clicks:
        list(clicks.map(say, [(0, -1), (1, 1), (0, -1), (2, 1), (1, 1), (0, -1)]))
    left.append(list(StepReview.objects.values_list("step", "rating")))
    StepReview.objects.all().delete()
print(json.dumps(left))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["embedded", pytest.param("services", marks=pytest.mark.services)])
def test_ratings_that_come_at_once_leave_one_each_and_keep_the_rule(tmp_path, kind):
    with stack(tmp_path / kind, kind) as installation:
        left = json.loads(installation.manage("shell", "--no-imports", "-c", CLICKS).splitlines()[-1])
    assert left == [[[0, -1]]] * 10


# --- The API ------------------------------------------------------------------------------------------


def put(api, trace, step, body):
    return api.put(f"/api/traces/{trace.pk}/steps/{step}/review", body, format="json")


def test_a_step_is_rated_over_the_api_and_shown_with_the_trace(api, user):
    trace = make_trace(steps=2)
    response = put(api, trace, 1, {"rating": -1, "note": "27 × 1 is not 28"})
    assert response.status_code == 200
    assert {"step": 1, "rating": -1, "note": "27 × 1 is not 28", "reviewer": "ada"}.items() <= response.json().items()
    assert put(api, trace, 1, {"rating": 0}).json()["note"] == ""
    (shown,) = api.get(f"/api/traces/{trace.pk}").json()["reviews"]
    assert (shown["step"], shown["rating"], shown["reviewer"]) == (1, 0, "ada")


def test_a_rating_is_taken_back_over_the_api(api, user):
    trace = make_trace(steps=2)
    put(api, trace, 1, {"rating": 1})
    assert api.delete(f"/api/traces/{trace.pk}/steps/1/review").status_code == 204
    assert not StepReview.objects.exists()
    for step in (1, 7, 10**30):
        again = api.delete(f"/api/traces/{trace.pk}/steps/{step}/review")
        assert (again.status_code, again.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("step", "body", "status"),
    [
        (0, {}, 422),
        (0, {"rating": "1"}, 422),
        (0, {"rating": 2}, 422),
        (0, {"rating": 1, "who": "eve"}, 422),
        (0, [1], 422),
        (5, {"rating": 1}, 422),
        (10**30, {"rating": 1}, 422),
    ],
)
def test_a_bad_rating_is_refused_with_its_place(api, step, body, status):
    response = put(api, make_trace(steps=2), step, body)
    assert response.status_code == status
    assert response.json()["errors"][0]["msg"]
    assert not StepReview.objects.exists()


def test_a_rating_without_a_body_is_malformed(api):
    assert api.put(f"/api/traces/{make_trace().pk}/steps/0/review").status_code == 400


def test_a_step_after_the_mistake_is_a_conflict(api, user):
    trace = make_trace(steps=3)
    rate(trace, user, -1)
    response = put(api, trace, 2, {"rating": 1})
    assert (response.status_code, response.json()["code"]) == (409, "after_mistake")


def test_a_trace_that_cannot_be_seen_cannot_be_reviewed(api):
    hidden = make_trace()
    staged = Import.objects.create(file_name="f", file_sha256="0" * 64, file_bytes=1, format="trace", source="f")
    Trace.objects.filter(pk=hidden.pk).update(imported_by=staged)
    for trace_id in (hidden.pk, uuid.uuid4()):
        assert api.put(f"/api/traces/{trace_id}/steps/0/review", {"rating": 1}, format="json").status_code == 404
        assert api.delete(f"/api/traces/{trace_id}/steps/0/review").status_code == 404


def test_whoever_is_not_signed_in_reviews_nothing(client, settings):
    trace = make_trace()
    path = f"/api/traces/{trace.pk}/steps/0/review"
    assert client.put(path, {"rating": 1}, content_type="application/json").status_code == 401
    assert client.delete(path).status_code == 401
    for address in (QUEUE, DISAGREEMENTS):
        assert client.get(address)["Location"].startswith("/login")
    assert client.post(QUEUE, {"do": "rate", "trace": trace.pk, "step": 0, "rating": 1}).status_code == 302
    assert not StepReview.objects.exists()


def test_a_rating_needs_the_token_of_the_page(user):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    trace = make_trace()
    assert strict.post(QUEUE, {"do": "rate", "trace": trace.pk, "step": 0, "rating": 1}).status_code == 403
    assert not StepReview.objects.exists()


# --- The page, without a script -----------------------------------------------------------------------


def press(client, do: str, address: str = QUEUE, **fields):
    """Presses a button of the page and follows to where it leads."""
    return client.post(address, {"do": do, **fields}, follow=True)


def shown(response) -> str:
    return response.content.decode()


def sheet(response) -> services.ReviewSheet | None:
    return response.context["sheet"]


def test_an_empty_queue_teaches_what_to_do(client_in, user):
    assert "/traces/import/" in shown(client_in.get(QUEUE))
    trace = make_trace(steps=1)
    rate(trace, user, 1)
    page = shown(client_in.get(QUEUE))
    assert "You have reviewed everything" in page
    assert "stepwise" in page
    assert "Nothing is left in this queue" in shown(client_in.get(QUEUE + "?source=nowhere"))


def test_a_trace_is_reviewed_step_by_step(client_in, user):
    older, newer = make_trace("older", steps=["a", "b"]), make_trace("newer", steps=["c", "d"])
    response = client_in.get(QUEUE)
    assert (sheet(response).trace, sheet(response).current.number) == (newer, 1)
    response = press(client_in, "rate", trace=newer.pk, step=0, rating=1, note="well\r\nput")
    assert (sheet(response).trace, sheet(response).current.number) == (newer, 2)
    assert "Step 1 is good" in shown(response)
    response = press(client_in, "rate", trace=newer.pk, step=1, rating=0)
    assert sheet(response).trace == older
    assert ratings_of(newer, user) == {0: 1, 1: 0}
    assert StepReview.objects.get(step=0).note == "well\nput"


def test_the_first_mistake_leads_to_the_next_trace(client_in, user):
    older, newer = make_trace("older"), make_trace("newer", steps=5)
    response = press(client_in, "rate", trace=newer.pk, step=0, rating=-1)
    assert sheet(response).trace == older
    assert "1 finished by you" in shown(response)


def test_a_trace_that_arrives_meanwhile_does_not_push_the_present_one_away(client_in):
    trace = make_trace(steps=3)
    client_in.get(QUEUE)
    make_trace("arrives meanwhile")
    assert sheet(press(client_in, "rate", trace=trace.pk, step=0, rating=1)).trace == trace


def test_a_double_click_rates_once(client_in, user):
    trace = make_trace(steps=3)
    for _ in range(2):
        response = press(client_in, "rate", trace=trace.pk, step=0, rating=1)
    assert (ratings_of(trace, user), sheet(response).current.number) == ({0: 1}, 2)


def test_skipped_traces_stay_away_until_they_are_asked_for(client_in, user):
    older, newer = make_trace("older"), make_trace("newer")
    assert sheet(press(client_in, "skip", trace=newer.pk)).trace == older
    response = press(client_in, "skip", trace=older.pk)
    assert sheet(response) is None
    assert "Show the 2 skipped again" in shown(response)
    assert sheet(press(client_in, "unskip")).trace == newer
    assert not StepReview.objects.exists()


def test_undo_takes_back_the_last_thing_done_and_returns_to_it(client_in, user):
    older, newer = make_trace("older", steps=2), make_trace("newer", steps=2)
    press(client_in, "rate", trace=newer.pk, step=0, rating=-1)
    response = press(client_in, "skip", trace=older.pk)
    skip = response.context["last"]
    response = press(client_in, "undo", last=skip.key)
    assert sheet(response).trace == older
    rating = response.context["last"]
    assert rating.review.trace == newer
    response = press(client_in, "undo", last=rating.key)
    assert (sheet(response).trace, sheet(response).current.number, ratings_of(newer, user)) == (newer, 1, {})
    again = press(client_in, "undo", last=rating.key)
    assert "taken back already" in shown(again)


def test_a_second_click_on_undo_takes_nothing_more_back(client_in, user):
    trace = make_trace(steps=3)
    rate(trace, user, 1, 1)
    last = client_in.get(QUEUE).context["last"].key
    for _ in range(2):
        press(client_in, "undo", last=last)
    assert ratings_of(trace, user) == {0: 1}


def test_filters_choose_the_queue_and_stay(client_in):
    book = make_trace("from a book", meta={"source": "book"}, steps=2)
    make_trace("from elsewhere")
    response = client_in.get(QUEUE + "?source=book")
    assert sheet(response).trace == book
    response = press(client_in, "rate", QUEUE + "?source=book", trace=book.pk, step=0, rating=1)
    assert response.redirect_chain[-1][0] == f"{QUEUE}?source=book&trace={book.pk}"
    response = press(client_in, "skip", QUEUE + "?source=book", trace=book.pk)
    assert (sheet(response), response.redirect_chain[-1][0]) == (None, QUEUE + "?source=book")


def test_each_preset_finds_its_traces(client_in, user):
    makers = {
        "All": lambda: make_trace("plain"),
        "Unreviewed": lambda: make_trace("plain"),
        "Scorers disagree": make_disagreed,
        "Wrong arithmetic": make_wrong,
        "Near-duplicates": make_twin,
        "Disputed": make_disputed,
    }
    presets = {preset.name: preset for preset in client_in.get(QUEUE).context["presets"]}
    assert set(presets) == set(makers)
    for name, make in makers.items():
        wanted = make()
        make_trace("newer, and passes no filter of them") if presets[name].filters and name != "Unreviewed" else None
        response = client_in.get(f"{QUEUE}?{presets[name].query}")
        assert sheet(response).trace == wanted, name
        assert f"{presets[name].name}</a>" in shown(response)


def make_disagreed() -> Trace:
    trace = make_trace("scorers disagree")
    for name, score in zip(VERDICTS, (0, 100), strict=False):
        Score.objects.create(trace=trace, scorer=name, version=SCORERS[name].version, score=score)
    return trace


def make_wrong() -> Trace:
    trace, version = make_trace("wrong arithmetic"), SCORERS["arithmetic"].version
    Score.objects.create(trace=trace, scorer="arithmetic", version=version, score=0, first_wrong=1)
    return trace


def make_twin() -> Trace:
    older, trace = make_trace("twin"), make_trace("twin!")
    Twin.objects.create(trace=trace, older=older, similarity=0.9)
    return trace


def make_disputed() -> Trace:
    trace = make_trace("disputed")
    rate(trace, make_user(), 1, 1)
    rate(trace, make_user(), -1)
    return trace


def test_what_scorers_say_of_a_step_is_shown_beside_it(client_in):
    trace = make_trace(steps=["1 + 1 = 2", "2 + 2 = 5", "so it is"])
    marks = [
        {"i": 0, "ok": True, "reason": ""},
        {"i": 1, "ok": False, "reason": "2 + 2 is 4, not 5"},
        {"i": 2, "ok": None},
    ]
    Score.objects.create(
        trace=trace, scorer="arithmetic", version="1", score=50, first_wrong=1, details={"steps": marks}
    )
    page = shown(client_in.get(QUEUE))
    assert "2 + 2 is 4, not 5" in page
    assert (page.count("arithmetic:"), page.count(">wrong<"), page.count(">right<")) == (2, 1, 1)


def test_what_others_said_is_not_shown_to_whoever_still_has_to_judge(client_in):
    rate(make_trace(steps=3), make_user(), 1, note="the opinion of another")
    assert "the opinion of another" not in shown(client_in.get(QUEUE))


def test_a_step_can_be_looked_at_by_address(client_in, user):
    trace = make_trace(steps=3)
    response = client_in.get(f"{QUEUE}?trace={trace.pk}&step=2")
    assert sheet(response).current.number == 3
    rate(trace, user, -1)
    response = client_in.get(f"{QUEUE}?trace={trace.pk}&step=2")
    assert "follows a mistake" in shown(response)
    assert 'name="rating"' not in shown(response)


def test_texts_of_people_stay_texts(client_in):
    make_trace("<script>alert(1)</script>", steps=["<b>bold</b>"], final_answer="<i>")
    page = shown(client_in.get(QUEUE))
    assert "<script>alert" not in page
    assert "&lt;b&gt;bold" in page


@pytest.mark.parametrize("query", ["step=x", f"step={'9' * 5000}", "review.is=odd", "colour=red", "q=%00", "source="])
def test_an_odd_address_never_breaks_the_queue(client_in, query):
    make_trace()
    assert client_in.get(f"{QUEUE}?{query}").status_code == 200


@pytest.mark.parametrize("trace", ["x", NOBODY])
def test_a_trace_that_is_not_there_is_not_found(client_in, trace):
    assert client_in.get(f"{QUEUE}?trace={trace}").status_code == 404
    assert client_in.post(QUEUE, {"do": "rate", "trace": trace, "step": 0, "rating": 1}).status_code == 404
    assert client_in.post(QUEUE, {"do": "skip", "trace": trace}).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [{"do": "rate", "step": "x", "rating": "1"}, {"do": "rate", "step": "0", "rating": "²"}, {"do": "dance"}, {}],
)
def test_an_odd_request_is_told_on_the_page(client_in, fields):
    response = client_in.post(QUEUE, {"trace": make_trace().pk, **fields}, follow=True)
    assert response.status_code == 200
    assert "notice error" in shown(response)
    assert not StepReview.objects.exists()


def test_htmx_gets_the_trace_alone_and_what_is_to_be_announced(client_in):
    trace = make_trace(steps=3)
    header = {"HX-Request": "true"}
    response = client_in.post(
        QUEUE, {"do": "rate", "trace": trace.pk, "step": 0, "rating": 1}, headers=header, follow=True
    )
    page = shown(response)
    assert "<html" not in page
    assert 'id="said" hx-swap-oob' in page
    assert "Step 1 is good" in page
    assert response["HX-Replace-Url"] == f"{QUEUE}?trace={trace.pk}"


def test_the_queue_asks_few_queries_however_long_it_is(client_in, user, django_assert_num_queries):
    other = make_user()
    for trace in make_traces(30, steps=2)[:20]:
        rate(trace, user, 1, 1)
        rate(trace, other, -1)
    services.score_traces(traces=Trace.objects.all(), by=None)
    with django_assert_num_queries(8):  # session, person, trace, its scores, its reviews, left, finished, last rating
        client_in.get(QUEUE)
    with django_assert_num_queries(6):  # session, person, steps, traces, their scores, their reviews and reviewers
        client_in.get(DISAGREEMENTS)


def test_a_long_queue_is_counted_no_further_than_a_thousand(client_in):
    make_traces(1002, steps=1)
    assert "more than 1,000 left" in shown(client_in.get(QUEUE))


# --- Disagreements ------------------------------------------------------------------------------------


def test_a_step_that_people_see_differently_is_listed_with_what_each_said(client_in, user):
    trace, other = make_trace(steps=["first thing", "second thing"]), make_user("grace")
    rate(trace, user, 1, 0, note="fine by me")
    rate(trace, other, 1, -1, note="not at all")
    page = shown(client_in.get(DISAGREEMENTS))
    for text in ("second thing", "ada", "grace", "fine by me", "not at all", f"?trace={trace.pk}&amp;step=1"):
        assert text in page
    assert "first thing" not in page


def test_good_and_neutral_are_no_disagreement_and_the_empty_page_says_what_is_one(client_in, user):
    trace = make_trace(steps=2)
    rate(trace, user, 1, 1)
    rate(trace, make_user(), 0, 0)
    assert "People agree about every step" in shown(client_in.get(DISAGREEMENTS))


def test_many_disagreements_are_paged_the_latest_first(client_in, user):
    other = make_user()
    for trace in make_traces(30, steps=1):
        rate(trace, user, 1)
        rate(trace, other, -1)
    page = shown(client_in.get(DISAGREEMENTS))
    assert "What is 27 × 29?" in page
    assert "offset=25" in page
    assert "What is 27 × 0?" in shown(client_in.get(DISAGREEMENTS + "?offset=25"))
