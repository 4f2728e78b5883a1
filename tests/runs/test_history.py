"""What the runs on an evalset came to, over time: service, page, API."""

import pytest
from django.urls import reverse

from datasets_app.models import EvalSet
from runs import services
from runs.models import Run
from tests.factories import NOBODY
from tests.runs.exams import another_config, examined, judged_by, make_exam
from training.errors import Invalid

pytestmark = pytest.mark.django_db


@pytest.fixture
def exam(db):
    return make_exam()


@pytest.fixture
def three(dataset, exam):
    """A good run, a bad one, and one that is nearly as good, in this order."""
    return [examined(dataset, exam, right, seed=right, name=f"right on {right}") for right in (40, 20, 38)]


def page(client, exam: EvalSet, query: str = "") -> str:
    response = client.get(reverse("evalset_history", args=[exam.pk]) + query)
    assert response.status_code == 200
    return response.content.decode()


def test_every_completed_run_is_there_with_what_the_gate_says(exam, three):
    good, bad, nearly = three
    services.set_baseline(run=good)
    records = services.history(evalset=exam)[:]
    assert [record.run for record in records] == [nearly, bad, good]
    assert [record.entry.right for record in records] == [38, 20, 40]
    assert [record.gate and record.gate.passed for record in records] == [True, False, None]
    assert [record.is_baseline for record in records] == [False, False, True]
    assert records[2].why == "It is the baseline."


def test_the_gate_of_the_history_is_that_of_the_run(exam, three):
    good, *others = three
    services.set_baseline(run=good)
    told = {record.run: record.gate for record in services.history(evalset=exam)}
    assert [told[run] for run in others] == [services.gate_run(run=run).gate for run in others]


def test_the_same_config_again_has_a_record_of_its_own(dataset, exam):
    runs = [examined(dataset, exam, seed=1) for _ in range(2)]
    assert [record.run for record in services.history(evalset=exam)] == runs[::-1]


def test_without_a_baseline_and_with_other_judges_it_says_why_there_is_no_gate(exam, three):
    good, bad, _ = three
    assert {record.why for record in services.history(evalset=exam)} == {"There is no baseline."}
    services.set_baseline(run=good)
    judged_by(bad, "0")
    assert {record.run: record.why for record in services.history(evalset=exam)}[bad] == "Another version judged it."


def test_earlier_baselines_are_marked(client_in, exam, three, user):
    for run in (three[1], three[0]):
        services.set_baseline(run=run, by=user)
    records = {record.run: record for record in services.history(evalset=exam)}
    assert [len(records[run].baselines) for run in three] == [1, 1, 0]
    text = page(client_in, exam)
    assert text.count("made the baseline") == 1
    assert "by ada" in text


def test_archived_runs_and_those_of_other_evalsets_are_left_out(dataset, exam, three):
    services.archive_run(run=three[0])
    examined(dataset, make_exam(name="another"), seed=9)
    assert [record.run for record in services.history(evalset=exam)] == [three[2], three[1]]


def test_it_is_filtered_by_dataset_engine_recipe_model_and_tag(dataset, exam, three, tunix):
    services.tag_run(run=three[1], tag="nightly")
    theirs = examined(dataset, exam, seed=7, engine="tunix")
    found = {
        name: [record.run for record in services.history(evalset=exam, query={name: value})]
        for name, value in [
            ("tag", "nightly"),
            ("engine", "tunix"),
            ("dataset_key", dataset.key),
            ("dataset_key", "no-1"),
            ("recipe", "answer_only_v1"),
            ("model", "gemma3 tiny"),
        ]
    }
    everyone = [theirs, *three[::-1]]
    assert found == {
        "tag": [three[1]],
        "engine": [theirs],
        "dataset_key": [],
        "recipe": [],
        "model": everyone,
    }
    assert [record.run for record in services.history(evalset=exam, query={"dataset_key": dataset.key})] == everyone
    with pytest.raises(Invalid, match="must be one of jax, tunix"):
        services.history(evalset=exam, query={"engine": "x"})


def test_the_page_draws_the_runs_and_says_what_the_gate_says(client_in, exam, three):
    text = page(client_in, exam)
    assert "No run is the baseline yet" in text
    services.set_baseline(run=three[0])
    text = page(client_in, exam)
    assert text.count('class="estimate plain"') == text.count('class="estimate worse"') == 1
    assert text.count('class="estimate baseline"') == 1
    assert "Surely worse: 0 won and 20 lost of 40" in text
    rows = text.partition("<tbody>")[2]
    assert rows.index("right on 38</a>") < rows.index("right on 20</a>") < rows.index("right on 40</a>")
    assert reverse("evalset_detail", args=[exam.pk]) in text


def test_an_empty_page_teaches_the_next_step(client_in, exam):
    text = page(client_in, exam)
    assert "manage.py compare_runs --gate RUN" in text
    assert f"{reverse('run_launch')}?evalset={exam.pk}" in text
    assert "<svg viewBox" not in text.partition("<main")[2]


def test_the_evalset_leads_to_its_history(client_in, exam):
    text = client_in.get(reverse("evalset_detail", args=[exam.pk])).content.decode()
    assert reverse("evalset_history", args=[exam.pk]) in text


def test_long_histories_have_pages(client_in, api, dataset, exam, monkeypatch, three):
    monkeypatch.setattr("runs.views.history.RECORDS", 2)
    first, second = page(client_in, exam), page(client_in, exam, "?offset=2")
    assert ("right on 38" in first, "right on 40" in first) == (True, False)
    assert ("right on 38" in second, "right on 40" in second) == (False, True)
    found = api.get(f"/api/evalsets/{exam.pk}/history?limit=2&offset=2").json()
    assert [row["name"] for row in found["data"]] == ["right on 40"]
    assert found["pagination"]["next_offset"] is None


@pytest.mark.parametrize("query", ["?engine=x", "?tag=%00", "?recipe=%00", "?offset=-1", "?offset=9999999999", "?x=1"])
def test_a_page_forgives_any_question(client_in, exam, three, query):
    page(client_in, exam, query)


def test_a_wrong_filter_is_said_and_shows_all(client_in, exam, three):
    text = page(client_in, exam, "?engine=x")
    assert "must be one of jax, tunix" in text
    assert "right on 20" in text


def test_the_api_answers_the_same(api, exam, three, user):
    services.set_baseline(run=three[0], by=user)
    nearly, bad, good = api.get(f"/api/evalsets/{exam.pk}/history").json()["data"]
    assert (nearly["name"], nearly["right"], nearly["scored"], nearly["score"]) == ("right on 38", 38, 40, 0.95)
    assert nearly["interval"][0] < 0.95 < nearly["interval"][1]
    assert (nearly["gate"]["passed"], bad["gate"]["passed"], good["gate"]) == (True, False, None)
    assert (good["baseline"], len(good["baseline_since"]), good["why"]) == (True, 1, "It is the baseline.")
    assert nearly["judges"]["answer_correctness"]
    assert api.get(f"/api/evalsets/{exam.pk}/history?engine=tunix").json()["data"] == []


@pytest.mark.parametrize("query", ["engine=x", "tag=%00", "limit=0", "limit=101", "offset=-1", "x=1", "evalset=1"])
def test_the_api_refuses_what_cannot_be(api, exam, query):
    assert api.get(f"/api/evalsets/{exam.pk}/history?{query}").status_code == 422


def test_an_evalset_that_is_not_there_has_no_history(client_in, api):
    assert client_in.get(reverse("evalset_history", args=[NOBODY])).status_code == 404
    assert api.get(f"/api/evalsets/{NOBODY}/history").status_code == 404


def test_names_and_tags_are_shown_as_text(client_in, exam, three):
    Run.objects.filter(pk=three[0].pk).update(name="<script>alert(1)</script>")
    services.tag_run(run=three[0], tag="<img src=x>")
    text = page(client_in, exam)
    assert "<script>alert" not in text
    assert "<img" not in text.partition("<main")[2]


def test_the_page_costs_the_same_however_many_runs(client_in, dataset, exam, django_assert_num_queries):
    baseline = examined(dataset, exam, seed=0)
    services.set_baseline(run=baseline)
    for number in range(5):
        examined(dataset, exam, seed=number, config=another_config(number))
    with django_assert_num_queries(12):
        page(client_in, exam)
