"""Runs ranked on one evalset: ties, versions of judges, what was given away, filters, paging; service, page, API."""

import pytest
from django.urls import reverse

from datasets_app.models import Dataset
from runs import services
from runs.models import Run
from runs.services import clean_scores
from tests.factories import NOBODY
from tests.runs.exams import another_config, examined, judged_by, make_exam
from training.statistics import wilson_interval

pytestmark = pytest.mark.django_db


@pytest.fixture
def exam(db):
    return make_exam()


@pytest.fixture
def four(dataset, exam):
    """From the best to the worst; the first two overlap, and so do the last two."""
    return [
        examined(dataset, exam, right, seed=1, config=another_config(number), name=f"right on {right}")
        for number, right in enumerate((40, 37, 12, 10))
    ]


def gives_away(dataset: Dataset, exam, items: list[str], count: int | None = None) -> None:
    """As if the freeze of the dataset had found so."""
    source = {"source": "exam", "evalset": str(exam.pk), "items": exam.item_count}
    source |= {"given_away": items, "given_away_count": len(items) if count is None else count}
    result = {"gate": "contamination", "count": len(items), "against": [source], "findings": [], "kinds": {}}
    Dataset.objects.filter(pk=dataset.pk).update(gates=[result], leak_count=len(items))


def page(client, query: str = "") -> str:
    response = client.get(reverse("leaderboard") + query)
    assert response.status_code == 200
    return response.content.decode()


# --- ranks ----------------------------------------------------------------------------------------


def test_ties_are_shown_as_ties(client_in, api, exam, four):
    board = services.leaderboard(evalset=exam)
    assert [(place.rank, place.tied, place.run) for place in board] == [
        (1, True, four[0]),
        (1, True, four[1]),
        (3, True, four[2]),
        (3, True, four[3]),
    ]
    assert page(client_in).count('<span class="visually-hidden">, tied</span>') == 4
    rows = api.get(f"/api/leaderboard?evalset={exam.pk}").json()["data"]
    assert [(row["rank"], row["tied"], row["right"]) for row in rows] == [
        (1, True, 40),
        (1, True, 37),
        (3, True, 12),
        (3, True, 10),
    ]


def test_one_that_is_surely_best_shares_its_rank_with_nobody(dataset, exam):
    for number, right in enumerate((40, 10)):
        examined(dataset, exam, right, seed=1, config=another_config(number))
    assert [(place.rank, place.tied) for place in services.leaderboard(evalset=exam)] == [(1, False), (2, False)]


def test_scores_and_intervals_come_from_the_rows(exam, four):
    entry = services.leaderboard(evalset=exam)[:1][0].entry
    assert (entry.right, entry.scored, entry.interval) == (40, 40, wilson_interval(40, 40))


def test_the_baseline_is_marked_and_can_be_chosen_there(client_in, api, exam, four):
    text = page(client_in)
    assert text.count(">Make baseline</button>") == 4
    services.set_baseline(run=four[1])
    text = page(client_in)
    assert text.count('class="status baseline"') == 1
    assert text.count(">Make baseline</button>") == 3
    rows = api.get(f"/api/leaderboard?evalset={exam.pk}").json()["data"]
    assert [row["baseline"] for row in rows] == [False, True, False, False]


# --- versions of judges ---------------------------------------------------------------------------


def test_runs_of_another_version_of_the_judge_are_ranked_apart(client_in, api, exam, four):
    best, second, *_ = four
    judged_by(best, "0")
    judged_by(second, "")
    board = services.leaderboard(evalset=exam)
    assert [(place.rank, place.run) for place in board] == [
        (1, four[2]),
        (1, four[3]),
        (1, second),  # the newer of the two
        (1, best),
    ]
    text = page(client_in)
    assert "Judged by answer_correctness 0: another version than today" in text
    assert "Judged by answer_correctness of an unknown version: another version" in text
    rows = api.get(f"/api/leaderboard?evalset={exam.pk}").json()["data"]
    assert [row["judges"].get("answer_correctness") for row in rows[2:]] == [None, "0"]


def test_the_version_that_judged_is_named(client_in, four):
    assert page(client_in).count("Judged by answer_correctness ") == 1


# --- what was given away --------------------------------------------------------------------------


def test_the_clean_score_leaves_out_what_was_given_away(client_in, api, dataset, exam, four):
    gives_away(dataset, exam, [f"item-{i:03}" for i in range(10)])
    exposed = [place.exposure for place in services.leaderboard(evalset=exam)]
    assert [(each.given_away, each.right, each.scored) for each in exposed] == [
        (10, 30, 30),
        (10, 27, 30),
        (10, 2, 30),
        (10, 0, 30),
    ]
    assert exposed[1].interval == wilson_interval(27, 30)
    text = page(client_in)
    assert "90.0\xa0%" in text or "90.0 %" in text
    assert "10 left out" in text
    row = api.get(f"/api/leaderboard?evalset={exam.pk}").json()["data"][1]["contamination"]
    assert (row["checked"], row["given_away"], row["clean"]["score"]) == (True, 10, 0.9)
    assert row["clean"]["interval"] == list(wilson_interval(27, 30))


def test_an_item_that_asks_the_same_is_given_away_too(dataset, exam, four):
    twin, given = exam.items.get(item_id="item-039"), exam.items.get(item_id="item-000")
    twin.prompt = given.prompt
    twin.save()
    gives_away(dataset, exam, ["item-000"])
    best = services.leaderboard(evalset=exam)[:1][0].exposure
    assert (best.given_away, best.right, best.scored) == (2, 38, 38)


def test_an_unjudged_item_that_was_given_away_takes_nothing_off(dataset, exam, four):
    four[0].evaluations.get(stage="after").predictions.filter(item__item_id="item-000").update(correct=None)
    four[0].evaluations.filter(stage="after").update(scored_count=39, correct_count=39)
    gives_away(dataset, exam, ["item-000", "item-001"])
    exposed = {place.run: place.exposure for place in services.leaderboard(evalset=exam)}
    assert (exposed[four[0]].right, exposed[four[0]].scored) == (38, 38)
    assert (exposed[four[1]].right, exposed[four[1]].scored) == (35, 38)


def test_runs_of_a_clean_dataset_and_of_one_that_was_not_checked_are_told_apart(client_in, api, dataset, exam, four):
    assert "not checked" in page(client_in)
    rows = api.get(f"/api/leaderboard?evalset={exam.pk}").json()["data"]
    assert rows[0]["contamination"] == {
        "checked": False,
        "given_away": None,
        "clean": {"right": None, "scored": None, "score": None, "interval": None},
    }
    gives_away(dataset, exam, [])
    text = page(client_in)
    assert "nothing given away" in text
    assert "not checked" not in text
    clean = services.leaderboard(evalset=exam)[:1][0].exposure
    assert (clean.given_away, clean.right, clean.scored) == (0, 40, 40)


def test_without_the_names_of_all_that_was_given_away_there_is_no_clean_score(client_in, dataset, exam, four):
    gives_away(dataset, exam, ["item-000"], count=30)
    assert services.leaderboard(evalset=exam)[:1][0].exposure == clean_scores.Exposure(30)
    assert "30 given away; not all are known by name" in page(client_in)


def test_where_all_was_given_away_no_score_is_left(client_in, dataset, exam, four):
    gives_away(dataset, exam, [f"item-{i:03}" for i in range(40)])
    exposure = services.leaderboard(evalset=exam)[:1][0].exposure
    assert (exposure.scored, exposure.score, exposure.interval) == (0, None, None)
    assert "40 given away; none is left" in page(client_in)


def test_so_many_items_that_their_names_are_not_asked_for(dataset, exam, four, monkeypatch):
    gives_away(dataset, exam, ["item-000", "item-001", "gone"])
    monkeypatch.setattr(clean_scores, "MOST_IDS", 1)
    assert services.leaderboard(evalset=exam)[:1][0].exposure == clean_scores.Exposure(2, 38, 38)


# --- filters, paging, permalinks ------------------------------------------------------------------


def test_filters_choose_before_the_newest_counts(dataset, exam):
    old = examined(dataset, exam, seed=1)
    services.tag_run(run=old, tag="kept")
    new = examined(dataset, exam, seed=1)
    assert [place.run for place in services.leaderboard(evalset=exam)] == [new]
    assert [place.run for place in services.leaderboard(evalset=exam, query={"tag": "kept"})] == [old]


def test_the_page_offers_what_there_is_to_choose(client_in, dataset, exam, tunix):
    examined(dataset, exam, seed=1)
    assert 'name="engine"' not in page(client_in)
    run = examined(dataset, exam, 3, seed=1, engine="tunix", name="theirs")
    services.tag_run(run=run, tag="nightly")
    text = page(client_in, f"?evalset={exam.pk}&engine=tunix")
    assert "<option selected>tunix</option>" in text
    assert "<option>nightly</option>" in text
    assert "theirs" in text
    assert f"?evalset={exam.pk}&amp;engine=tunix" in text  # the link to exactly this view
    assert "No run passes this filter" in page(client_in, f"?evalset={exam.pk}&tag=other")


def test_a_models_name_is_its_weights_or_its_size(exam, four):
    config = four[0].config
    Run.objects.filter(pk=four[0].pk).update(config=config | {"model": config["model"] | {"weights": "gemma-3-270m"}})
    models = {place.run: place.entry.model for place in services.leaderboard(evalset=exam)}
    assert [models[run] for run in four[:2]] == ["gemma3 gemma-3-270m", "gemma3 tiny"]
    chosen = services.leaderboard(evalset=exam, query={"model": "gemma3 gemma-3-270m"})
    assert [place.run for place in chosen] == four[:1]


def test_long_boards_have_pages(client_in, api, exam, four):
    address = f"/api/leaderboard?evalset={exam.pk}&limit=3"
    first, second = api.get(address).json(), api.get(f"{address}&offset=3").json()
    assert [row["right"] for row in first["data"]] == [40, 37, 12]
    assert [(row["right"], row["rank"]) for row in second["data"]] == [(10, 3)]
    assert (first["pagination"]["next_offset"], second["pagination"]["next_offset"]) == (3, None)
    assert "right on 10" in page(client_in, "?offset=3")
    assert "right on 40" not in page(client_in, "?offset=3")


def test_an_evalset_is_named_by_its_id_or_its_hash(client_in, api, exam, four):
    for name in (exam.pk, exam.sha256):
        assert len(api.get(f"/api/leaderboard?evalset={name}").json()["data"]) == 4
        assert "right on 40" in page(client_in, f"?evalset={name}")


def test_an_evalset_that_has_no_run_yet_is_named_as_the_one_shown(client_in, four):
    empty = make_exam(name="nobody sat it")
    text = page(client_in, f"?evalset={empty.pk}")
    assert f'<option value="{empty.pk}" selected>nobody sat it' in text
    assert "No completed run on nobody sat it yet" in text


@pytest.mark.parametrize("name", ["x", "%00", NOBODY, "0" * 64, "☃"])
def test_an_evalset_that_is_not_there_is_said_and_no_other_shown_for_it(client_in, four, name):
    text = page(client_in, f"?evalset={name}")
    assert "there is no evalset" in text
    assert "right on 40" not in text


@pytest.mark.parametrize("query", ["?engine=x", "?tag=%00", "?recipe=%00", "?offset=x", "?offset=-1", "?nope=1"])
def test_a_page_forgives_any_question(client_in, four, query):
    assert "right on 40" in page(client_in, query)


@pytest.mark.parametrize(
    "query",
    ["evalset=x", "engine=x", "tag=%00", "model=%00", "limit=0", "limit=101", "offset=-1", "nope=1"],
)
def test_the_api_refuses_what_cannot_be(api, exam, query):
    address = "/api/leaderboard?" + ("" if query.startswith("evalset") else f"evalset={exam.pk}&") + query
    assert api.get(address).status_code == 422
    assert api.get("/api/leaderboard").status_code == 422


def test_runs_without_a_judged_item_are_not_ranked(exam, four):
    four[0].evaluations.update(scored_count=0, correct_count=0)
    assert [place.run for place in services.leaderboard(evalset=exam)] == four[1:]


def test_names_tags_and_versions_are_shown_as_text(client_in, exam, four):
    Run.objects.filter(pk=four[0].pk).update(name="<script>alert(1)</script>")
    services.tag_run(run=four[0], tag="<img src=x>")
    judged_by(four[1], "<b>2</b>")
    text = page(client_in)
    assert "<script>alert" not in text
    assert "<img" not in text.partition("<main")[2]
    assert "&lt;b&gt;2&lt;/b&gt;" in text


def test_the_board_costs_the_same_however_many_runs(client_in, api, dataset, exam, django_assert_num_queries):
    gives_away(dataset, exam, ["item-000"])
    for count in (2, 6):
        for number in range(count):
            examined(dataset, exam, 30 + number, seed=1, config=another_config(number))
        with django_assert_num_queries(7):
            list(services.leaderboard(evalset=exam))
    services.set_baseline(run=Run.objects.first())
    with django_assert_num_queries(11):
        page(client_in, f"?evalset={exam.pk}")
