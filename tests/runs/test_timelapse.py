"""A run with a time-lapse: its rows, its pages, its address of the API."""

import json
import shutil

import pytest
from django.urls import reverse

from runs import services, verdicts
from runs.models import Evaluation, Prediction
from runs.timelapse import time_lapse
from tests.runs.making import begin, completed, lapsed, write_time_lapse
from tunixrt.jobs import work
from tunixrt.lib.errors import Refused

# Of six items: learned one after the other, then the first ones forgotten.
RIGHTS = {
    0: lambda i: False,
    2: lambda i: i < 3,
    4: lambda i: i < 5,
    6: lambda i: i in (2, 3, 5),
}


@pytest.fixture
def lapse(dataset, user):
    return lapsed(dataset, RIGHTS, name="over-trained", by=user)


@pytest.fixture
def items(lapse):
    return list(lapse.evalset.items.order_by("position"))


def keys(items, *places: int) -> frozenset[int]:
    return frozenset(items[place].pk for place in places)


def test_every_checkpoint_has_its_rows(lapse):
    found = lapse.evaluations.current().order_by("checkpoint_step").values_list("stage", "checkpoint_step")
    assert list(found) == [("before", 0), ("step", 2), ("step", 4), ("after", 6)]
    n = lapse.evalset.item_count
    assert Prediction.objects.filter(evaluation__in=lapse.evaluations.current()).count() == 4 * n
    at_two = lapse.evaluations.get(stage="step", checkpoint_step=2)
    assert (at_two.correct_count, at_two.metrics["answer_correctness"]) == (3, 3 / n)
    assert at_two.judges.keys() >= {"answer_correctness", "format_valid"}


def test_the_earlier_checkpoint_is_chosen_and_the_forgotten_items_are_marked(lapse, items):
    found = time_lapse(lapse)
    assert (found.best.chosen.step, found.best.last.step) == (4, 6)
    assert [moment.is_best for moment in found.moments] == [False, False, True, False]
    assert found.forgotten == {items[0].pk: 4, items[1].pk: 4, items[4].pk: 4}
    assert found.moments[2].change.won == keys(items, 3, 4)
    assert found.moments[3].change.won == keys(items, 5)
    assert found.moments[3].change.lost == keys(items, 0, 1, 4)
    metrics = lapse.metrics
    assert (metrics["best_step"], metrics["best_correctness"]) == (4, 5 / lapse.evalset.item_count)
    assert 0 < metrics["best_expected_correctness"] <= metrics["best_correctness"]
    assert metrics["answer_correctness"] == 3 / lapse.evalset.item_count  # that of the newest, as without a time-lapse


def test_the_verdict_is_of_the_first_and_the_newest(lapse):
    found = verdicts.before_and_after(lapse)
    assert (found.before.checkpoint_step, found.after.checkpoint_step) == (0, 6)
    assert (found.comparison.won, found.comparison.lost) == (3, 0)


def test_examined_again_it_is_replaced_whole(lapse):
    services.evaluate_run(run=lapse)
    begin(lapse)
    write_time_lapse(lapse, {0: lambda i: False, 3: lambda i: i < 2, 6: lambda i: True})
    verdicts.store(lapse)
    current = lapse.evaluations.current().order_by("checkpoint_step").values_list("checkpoint_step", flat=True)
    assert list(current) == [0, 3, 6]
    assert lapse.evaluations.filter(status=Evaluation.Status.REPLACED).count() == 4
    assert lapse.metrics["best_step"] == 6


@pytest.mark.parametrize("harm", ["torn", "gone"])
def test_a_checkpoint_whose_rows_are_not_whole_leaves_everything_as_it_was(lapse, harm):
    services.evaluate_run(run=lapse)
    begin(lapse)
    path = lapse.directory / "eval_step_2.jsonl"
    path.write_bytes(path.read_bytes()[:-40]) if harm == "torn" else path.unlink()
    with pytest.raises(Refused, match="step 2 is not whole"):
        verdicts.store(lapse)
    assert lapse.evaluations.current().count() == 4


def test_a_run_without_has_none(dataset, user, client):
    run = completed(dataset)
    assert time_lapse(run) is None
    client.force_login(user)
    assert b"Time-lapse" not in client.get(reverse("run_detail", args=[run.pk])).content
    assert b"was not examined at its checkpoints" in client.get(reverse("changed_items", args=[run.pk])).content
    answer = client.get(f"/api/runs/{run.pk}/evaluation").json()
    assert (answer["best_step"], answer["steps"], answer["forgotten"]) == (None, [], 0)


def test_the_run_s_page_marks_the_chosen_and_links_what_was_forgotten(lapse, items, user, client):
    client.force_login(user)
    page = client.get(reverse("run_detail", args=[lapse.pk])).content.decode()
    assert "Step 4 is best, right on 5 of 6; the last, step 6, is right on 3." in page
    assert "Chance could explain the difference" in page
    assert page.count('class="estimate ') == 4
    assert page.count('class="estimate baseline"') == 1
    for item in (items[0], items[1], items[4]):
        assert reverse("item_over_time", args=[lapse.pk, item.pk]) in page
    assert reverse("item_over_time", args=[lapse.pk, items[5].pk]) not in page
    assert "The checkpoint of step 4 is gone" in page


def test_the_chosen_checkpoint_is_named_while_it_is_there_and_what_happened_when_it_is_not(lapse, user, client):
    (lapse.directory / "checkpoints" / "4").mkdir(parents=True)
    client.force_login(user)
    page = reverse("run_detail", args=[lapse.pk])
    assert f"--checkpoint {lapse.directory}/checkpoints/4 " in client.get(page).content.decode()
    services.purge_run(run=lapse, by=user)
    text = client.get(page).content.decode()
    assert "The checkpoint of step 4 is gone: the run was purged" in text
    assert "Step 4 is best" in text


def test_counts_open_the_items_that_they_count(lapse, items, user, client):
    client.force_login(user)

    def shown(query: str) -> set[int]:
        response = client.get(f"{reverse('changed_items', args=[lapse.pk])}?{query}")
        assert response.status_code == 200
        return {item.pk for item, _ in response.context["rows"]}

    assert shown("list=won&step=2") == keys(items, 0, 1, 2)
    assert shown("list=lost&step=6") == keys(items, 0, 1, 4)
    assert shown("list=forgotten") == keys(items, 0, 1, 4)
    for odd in ("list=nonsense", "list=won&step=99", "list=won&step=x", "list=lost", "offset=-1", "list=won&step=2%00"):
        assert shown(odd) == keys(items, 0, 1, 4)


def test_one_item_shows_what_was_answered_to_it_at_each_checkpoint(lapse, items, user, client):
    client.force_login(user)
    response = client.get(reverse("item_over_time", args=[lapse.pk, items[0].pk]))
    assert [row.correct for row, _ in response.context["answers"]] == [False, True, True, False]
    assert response.content.decode().count("<small>chosen</small>") == 1
    assert client.get(reverse("item_over_time", args=[lapse.pk, 2**70])).status_code == 404
    prediction = client.get(reverse("prediction_detail", args=[lapse.pk, items[0].pk]))
    assert reverse("item_over_time", args=[lapse.pk, items[0].pk]) in prediction.content.decode()


def test_answers_open_at_a_checkpoint(lapse, user, client):
    client.force_login(user)
    page = client.get(f"{reverse('run_predictions', args=[lapse.pk])}?stage=4&correct=true").content.decode()
    assert "Answers at step 4" in page
    assert page.count('class="status right"') == 5
    rows = client.get(f"/api/runs/{lapse.pk}/predictions?stage=2").json()["data"]
    assert sum(row["correct"] for row in rows) == 3
    assert client.get(f"/api/runs/{lapse.pk}/predictions?stage=3").status_code == 422
    assert client.get(f"/api/runs/{lapse.pk}/predictions?stage=step").status_code == 422


def test_the_api_lists_every_checkpoint(lapse, user, client):
    client.force_login(user)
    answer = client.get(f"/api/runs/{lapse.pk}/evaluation").json()
    assert (answer["before"]["checkpoint_step"], answer["after"]["checkpoint_step"]) == (0, 6)
    assert [(s["checkpoint_step"], s["correct_count"], s["won"], s["lost"], s["best"]) for s in answer["steps"]] == [
        (0, 0, 0, 0, False),
        (2, 3, 3, 0, False),
        (4, 5, 2, 0, True),
        (6, 3, 1, 3, False),
    ]
    assert (answer["best_step"], answer["best"]["last_step"], answer["forgotten"]) == (4, 6, 3)
    assert not answer["best"]["told_apart"]


@pytest.mark.parametrize("address", ["changed_items", "item_over_time"])
def test_nobody_sees_it_without_a_login(lapse, items, client, address):
    where = [lapse.pk] if address == "changed_items" else [lapse.pk, items[0].pk]
    assert client.get(reverse(address, args=where)).status_code == 302


def test_more_checkpoints_cost_the_page_no_more_queries(dataset, user, client, django_assert_max_num_queries):
    client.force_login(user)
    few = lapsed(dataset, {0: lambda i: False, 2: lambda i: i < 3, 4: lambda i: i < 2}, by=user)
    many = lapsed(dataset, {step: lambda i, step=step: i < step % 5 for step in range(12)}, by=user)
    pages = [reverse("run_detail", args=[run.pk]) for run in (few, many)]
    for page in pages:
        client.get(page)
    with django_assert_max_num_queries(100) as first:
        client.get(pages[0])
    with django_assert_max_num_queries(len(first)):
        client.get(pages[1])


def test_files_of_a_time_lapse_can_be_taken_in_again(lapse, tmp_path):
    shutil.copytree(lapse.directory, tmp_path / "copy")
    summary = json.loads((tmp_path / "copy" / "eval.json").read_text())
    assert summary["best_step"] == 4
    verdicts.store(lapse)
    assert lapse.evaluations.current().count() == 4


def test_a_job_that_examines_takes_in_the_checkpoints(lapse, monkeypatch):
    services.evaluate_run(run=lapse)
    write_time_lapse(lapse, RIGHTS | {5: lambda i: True})
    monkeypatch.setattr("runs.pipeline.run_child", lambda *args: None)
    work.perform(lapse.job.pk)
    lapse.refresh_from_db()
    assert (lapse.status, lapse.metrics["best_step"]) == ("completed", 5)
