"""Pages of runs."""

import json
import re
from datetime import UTC, datetime

import pytest
from django.template.loader import render_to_string
from django.urls import reverse

from datasets_app.models import Dataset
from datasets_app.services import shipped_evalset
from runs import series, services
from runs.forms import config_text
from runs.models import Prediction, Run
from runs.services import launch_run
from tests.runs.exams import answers_of
from tests.runs.making import TINY, begin, completed, end, write_losses, write_run_record

pytestmark = pytest.mark.django_db


def page(client, name: str, *args, query: str = "", **headers) -> str:
    response = client.get(reverse(name, args=args) + query, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def form(dataset):
    return {"dataset": dataset.key, "config_name": "tiny", "config": json.dumps(TINY), "seed": "3", "nonce": "n"}


def launch(client, form: dict, action: str = "launch", **changes):
    return client.post("/runs/launch/", form | {"action": action} | changes)


def test_empty_pages_teach_the_next_step(client_in):
    assert "Launch a run" in page(client_in, "run_list")
    assert "No completed run" in page(client_in, "leaderboard")
    assert "Choose two runs" in page(client_in, "run_compare")
    assert "Choose a frozen dataset" in page(client_in, "run_launch")


def test_the_form_comes_with_a_config_to_edit_and_the_dataset_chosen(client_in, dataset):
    text = page(client_in, "run_launch", query=f"?dataset={dataset.key}")
    assert "&quot;learning_rate&quot;" in text
    assert re.search(rf'value="{dataset.key}"\s+selected', text)


def test_a_launch_leads_to_its_run(client_in, form, user):
    response = launch(client_in, form)
    run = Run.objects.get()
    assert response.url == reverse("run_detail", args=[run.pk])
    assert (run.seed, run.created_by, run.config["training"]["steps"]) == (3, user, 4)


def test_an_engine_that_is_not_installed_is_offered_disabled_with_the_way_to_install_it(client_in, form):
    text = page(client_in, "run_launch")
    assert re.search(r'<option value="tunix"\s+disabled', text)
    assert "Tunix is not installed: `make tunix`" in text
    refused = launch(client_in, form, engine="tunix").content.decode()
    assert "Tunix is not installed" in refused
    assert Run.objects.count() == 0


def test_the_engine_is_chosen_in_the_form_and_shown_with_the_run(client_in, form, tunix):
    assert "disabled" not in page(client_in, "run_launch").split('name="engine"')[1].split("</select>")[0]
    launch(client_in, form, engine="tunix")
    run = Run.objects.get()
    assert run.engine == "tunix"
    assert "<dt>Engine</dt><dd>tunix</dd>" in page(client_in, "run_detail", run.pk)
    assert "<small>tunix</small>" in page(client_in, "run_list")


def test_one_page_asks_once_whether_the_engine_is_installed(client_in, tunix, tmp_path):
    tunix.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\nexit 1\n")
    assert re.search(r'<option value="tunix"\s+disabled', page(client_in, "run_launch"))
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_a_double_click_launches_once_and_a_changed_form_again(client_in, form):
    launch(client_in, form)
    launch(client_in, form)
    assert Run.objects.count() == 1
    launch(client_in, form, seed="4")
    assert Run.objects.count() == 2


def test_the_plan_is_shown_and_nothing_is_stored(client_in, form):
    text = launch(client_in, form, action="plan").content.decode()
    assert "The plan" in text
    assert Run.objects.count() == 0


def test_another_config_is_loaded_into_the_text(client_in, form):
    text = launch(client_in, form, action="load", config_name="golden").content.decode()
    assert "&quot;steps&quot;: 120" in text
    assert "&quot;steps&quot;: 4" not in text


def test_a_config_that_nobody_edited_follows_its_name(client_in, form):
    launch(client_in, form, config_name="golden", config=config_text("tiny"))
    assert Run.objects.get().config["training"]["steps"] == 120


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"config": "{"}, "is not JSON"),
        ({"config": '{"training": {"steps": 4, "learning_rate": 0}}'}, "config.training.learning_rate"),
        ({"config": '{"training": {"steps": 4, "lr": 1}}'}, "unknown field"),
        ({"config": "a\0b"}, "Null characters"),
        ({"dataset": "no-1"}, "Select a valid choice"),
        ({"dataset": "a\0b"}, "Null characters"),
        ({"seed": "-1"}, "greater than or equal to 0"),
        ({"seed": str(2**64)}, "less than or equal to"),
        ({"seed": "x"}, "whole number"),
        ({"name": "x" * 201}, "at most 200"),
        ({"evalset": "nope"}, "is not a valid UUID"),
        ({"config_name": "nope"}, "Select a valid choice"),
    ],
)
def test_a_wrong_form_says_what_and_keeps_what_was_typed(client_in, form, change, words):
    response = launch(client_in, form | {"name": "kept"} | change)
    text = response.content.decode()
    assert response.status_code == 200
    assert words in text
    assert "kept" in text or "name" in change
    assert Run.objects.count() == 0


def test_a_waiting_run_says_that_nobody_works(client_in, run):
    text = page(client_in, "run_detail", run.pk)
    assert "Waiting for a worker" in text
    assert "manage.py up" in text
    assert f'data-poll="{reverse("run_live", args=[run.pk])}"' in text


def test_a_run_in_training_shows_loss_progress_and_log(client_in, run):
    job = begin(run)
    job.tick(2, 4, "training")
    write_losses(run, [4.0, 2.0])
    text = page(client_in, "run_detail", run.pk)
    assert "50 %" in text
    assert 'data-name="train"' in text
    assert "step 2 loss 2.0" in text
    assert "Cancel" in text
    fragment = page(client_in, "run_live", run.pk)
    assert "<html" not in fragment
    assert "50 %" in fragment


def test_a_run_that_ended_redraws_the_page_and_asks_no_more(client_in, dataset):
    run = completed(dataset)
    text = page(client_in, "run_live", run.pk)
    assert '<main id="main"' in text
    assert "Verdict" in text
    assert "data-poll" not in text


def test_a_cancelled_run_says_that_it_is_being_cancelled(client_in, run):
    begin(run)
    client_in.post(reverse("run_cancel", args=[run.pk]))
    assert "cancelling" in page(client_in, "run_live", run.pk)


def test_the_curve_is_smoothed_and_scaled_by_its_address(client_in, run):
    write_losses(run, [4.0, 2.0, 1.0])
    raw = page(client_in, "run_detail", run.pk, query="?smooth=0")
    smooth = page(client_in, "run_detail", run.pk, query="?smooth=0.9&log=1")
    assert "<output>1</output>" in raw
    assert "<output>1</output>" not in smooth
    assert "linear scale" in smooth
    assert page(client_in, "run_detail", run.pk, query="?smooth=%00&log=x")


def test_a_verdict_opens_the_rows_behind_it(client_in, dataset):
    run = completed(dataset, right=lambda i: i < 2)
    text = page(client_in, "run_detail", run.pk)
    assert f"Right on 2 of {run.evalset.item_count}" in text
    won = page(client_in, "run_predictions", run.pk, query="?outcome=won")
    assert won.count("status right") == 2
    assert "No answer is like that" in page(client_in, "run_predictions", run.pk, query="?outcome=lost")
    assert "status right" not in page(client_in, "run_predictions", run.pk, query="?correct=false")
    assert "status right" not in page(client_in, "run_predictions", run.pk, query="?stage=before")


def test_a_prediction_is_read_step_by_step_before_and_after(client_in, dataset):
    run = completed(dataset)
    row = answers_of(run, "after").first()
    text = page(client_in, "prediction_detail", run.pk, row.item_id)
    assert "Before training" in text
    assert "After training" in text
    assert text.count("✓") == 2
    assert "is not of the form" in text  # the guess from before training


def test_a_prediction_of_another_run_is_not_found(client_in, dataset, run):
    assert client_in.get(reverse("prediction_detail", args=[run.pk, 10**30])).status_code == 404


def test_what_a_model_wrote_is_shown_as_text(client_in, dataset):
    run = completed(dataset)
    hostile = "Reasoning:\n1. <script>alert(1)</script>\nAnswer: </td><img src=x onerror=alert(2)>"
    Prediction.objects.filter(evaluation__run=run).update(output=hostile, answer="</td><img src=x>")
    for text in (
        page(client_in, "run_predictions", run.pk),
        page(client_in, "prediction_detail", run.pk, answers_of(run, "after").first().item_id),
    ):
        assert "<script>alert" not in text
        assert "<img" not in text.partition("<main")[2]


def test_what_a_log_holds_is_shown_as_text(client_in, run):
    run.directory.mkdir(parents=True)
    (run.directory / "train.log").write_bytes(b"</pre><script>alert(1)</script>\x1b[31m\0\xff\n")
    assert "<script>alert" not in page(client_in, "run_live", run.pk)


def test_a_failed_run_shows_why_and_what_can_be_done(client_in, run):
    end(run, "failed", "the loss became nan at step 3\na lower learning rate may help")
    text = page(client_in, "run_detail", run.pk)
    assert "the loss became nan at step 3<br>" in text
    assert "Retry" in text
    assert "Resume" not in text


def test_a_refused_action_says_why_on_the_run(client_in, run):
    response = client_in.post(reverse("run_replay", args=[run.pk]), follow=True)
    assert "it cannot be replayed" in response.content.decode()


@pytest.mark.parametrize("action", ["cancel", "retry", "resume", "evaluate", "replay"])
def test_a_look_changes_nothing(client_in, run, action):
    assert client_in.get(reverse(f"run_{action}", args=[run.pk])).status_code == 405
    run.refresh_from_db()
    assert run.status == "pending"


def test_two_ticked_runs_are_compared_from_the_older_to_the_newer(client_in, dataset):
    base = completed(dataset, right=lambda i: False, seed=1)
    other = completed(dataset, seed=2)
    write_losses(base, [4.0, 2.0])
    write_losses(other, [3.0, 1.0])
    text = page(client_in, "run_compare", query=f"?run={other.pk}&run={base.pk}")
    assert text.index(str(base.pk)) < text.index(str(other.pk))
    assert 'data-name="base train"' in text
    assert 'data-name="other train"' in text
    assert "training.seed" in text
    assert text.count("status won") == base.evalset.item_count


def test_a_run_that_was_reproduced_carries_the_badge(client_in, dataset):
    run = completed(dataset)
    Run.objects.filter(pk=run.pk).update(reproduced=3, reproduced_at=datetime(2026, 11, 21, tzinfo=UTC))
    assert "reproduced 3×, last on 21 Nov 2026" in client_in.get(reverse("run_detail", args=[run.pk])).content.decode()
    assert "reproduced 3×" in client_in.get(reverse("run_list")).content.decode()


def test_a_replay_that_differs_says_where_on_its_page_and_on_that_of_the_original(client_in, dataset):
    run = completed(dataset)
    again = services.replay_run(run=run)
    stages = [{"name": "losses", "same": False, "detail": "At step 2."}, {"name": "tokens", "same": None, "detail": ""}]
    inputs = [{"name": "library <jax>", "base": "1", "other": None, "defines": False}]
    found = {"same": False, "headline": "It parts at step 2.", "stages": stages, "inputs": inputs, "sentences": []}
    Run.objects.filter(pk=again.pk).update(replay=found)
    page = client_in.get(reverse("run_detail", args=[again.pk])).content.decode()
    for words in ("Not reproduced: It parts at step 2.", "differs", "At step 2.", "not known", "library &lt;jax&gt;"):
        assert words in page
    original = client_in.get(reverse("run_detail", args=[run.pk])).content.decode()
    assert f"{reverse('run_detail', args=[again.pk])}#replay" in original
    assert "It parts at step 2." in original


def test_two_runs_are_compared_by_what_else_they_were_given(client_in, dataset):
    base, other = completed(dataset, seed=1), completed(dataset, seed=2)
    write_run_record(other, libraries={"jax": "2"})
    page = client_in.get(reverse("run_compare"), {"base": base.pk, "other": other.pk}).content.decode()
    assert "Other inputs" in page
    assert "library jax" in page


def test_runs_that_do_not_compare_say_why(client_in, dataset, run):
    done = completed(dataset)
    assert "no results to compare" in page(client_in, "run_compare", query=f"?base={done.pk}&other={run.pk}")
    assert page(client_in, "run_compare", query="?base=x&other=%00&run=1")


def test_the_leaderboard_ranks(client_in, dataset):
    completed(dataset, seed=1, name="the best")
    completed(dataset, seed=2, name="the worst", right=lambda i: False)
    text = page(client_in, "leaderboard")
    assert text.index("the best") < text.index("the worst")
    assert page(client_in, "leaderboard", query="?evalset=%00")


def test_the_runs_of_a_dataset_are_a_fragment_for_its_page(client_in, dataset, run):
    assert "<html" in page(client_in, "dataset_runs", dataset.key)
    fragment = page(client_in, "dataset_runs", dataset.key, **{"HX-Request": "true"})
    assert "<html" not in fragment
    assert "small" in fragment
    assert client_in.get("/datasets/a%00b/runs/").status_code == 404


def test_the_runs_of_an_evalset_are_a_fragment_for_its_page(client_in, dataset, run, django_assert_max_num_queries):
    assert "<html" in page(client_in, "evalset_runs", run.evalset_id)
    with django_assert_max_num_queries(6):
        fragment = page(client_in, "evalset_runs", run.evalset_id, **{"HX-Request": "true"})
    assert "<html" not in fragment
    assert "small" in fragment
    other = shipped_evalset(name="eval_v1", by=None)
    assert "No run is examined on these items yet" in page(client_in, "evalset_runs", other.pk)
    assert reverse("evalset_runs", args=[other.pk]) in page(client_in, "evalset_detail", other.pk)


def test_more_runs_of_an_evalset_than_fit_lead_to_their_own_page(client_in, dataset, run, monkeypatch):
    launch_run(dataset_key=dataset.key, config=TINY, seed=6, name="second")
    monkeypatch.setattr("runs.views.evalsets.SHOWN", 1)
    fragment = page(client_in, "evalset_runs", run.evalset_id, **{"HX-Request": "true"})
    own = reverse("evalset_runs", args=[run.evalset_id])
    assert f'href="{own}?offset=1"' in fragment
    assert "Next" not in fragment
    assert 'href="?offset=1"' in page(client_in, "evalset_runs", run.evalset_id)


def test_the_list_costs_the_same_however_many_rows(client_in, dataset, django_assert_max_num_queries):
    for seed in range(5):
        completed(dataset, seed=seed)
    with django_assert_max_num_queries(7):
        page(client_in, "run_list")


def test_the_admin_lists_shows_and_acts(admin_client, dataset, run):
    done = completed(dataset)
    text = admin_client.get("/admin/runs/run/").content.decode()
    assert "100.0 %" in text
    for action, status in (("cancel", "cancelled"), ("retry", "cancelled")):
        admin_client.post("/admin/runs/run/", {"action": action, "_selected_action": [str(run.pk), str(done.pk)]})
        run.refresh_from_db()
        assert run.status == status
    assert run.children.get().origin == "retry"
    admin_client.post("/admin/runs/run/", {"action": "evaluate", "_selected_action": [str(done.pk)]})
    done.refresh_from_db()
    assert done.status == "evaluating"
    for model, pk in (("run", run.pk), ("evaluation", done.evaluations.first().pk)):
        assert admin_client.get(f"/admin/runs/{model}/{pk}/change/").status_code == 200
    assert admin_client.get("/admin/runs/prediction/").status_code == 200
    assert admin_client.get("/admin/runs/run/add/").status_code == 200


def test_the_plan_of_a_run_is_a_fragment_for_the_datasets_page(client_in, dataset):
    shown = page(client_in, "dataset_plan", dataset.key, query="?config=tiny")
    assert "Updates" in shown
    assert "not known before a run like this was trained" in shown


def test_a_plan_tells_what_each_device_holds_and_how_many_there_are(client_in, dataset):
    alone = page(client_in, "dataset_plan", dataset.key, query="?config=tiny")
    assert "gathered" not in alone
    assert "devices" not in alone
    found = services.plan_run(dataset_key=dataset.key, config=TINY | {"mesh": {"data": 1, "fsdp": 2}})
    shown = render_to_string("runs/_plan.html", {"plan": found})
    assert re.search(r"gathered parameters \S+\sMB \(each × 2 devices\), the batch", shown)


def test_a_plan_tells_the_time_at_the_pace_of_the_newest_run(client_in, dataset):
    run = completed(dataset)
    Run.objects.filter(pk=run.pk).update(metrics=run.metrics | {"avg_tokens_per_second": 10.0})
    plan = services.plan_run(dataset_key=dataset.key, config=run.config)
    assert plan.seconds == plan.tokens / 10


def test_a_pace_counts_for_what_computes_alike_only(client_in, dataset):
    run = completed(dataset)
    Run.objects.filter(pk=run.pk).update(metrics=run.metrics | {"avg_tokens_per_second": 10.0})
    longer = run.config | {"data": run.config["data"] | {"max_length": 64 + run.config["data"]["max_length"]}}
    larger = run.config | {"model": {"size": "small"}}
    for config in (longer, larger):
        assert services.plan_run(dataset_key=dataset.key, config=config).seconds is None


def test_a_run_shows_what_was_planned_beside_what_it_took(client_in, dataset):
    run = completed(dataset)
    assert "What training was planned to take" not in page(client_in, "run_detail", run.pk)
    run.keep_plan({"peak_memory_bytes": 2**30 * 5 // 4, "tokens": 500})
    write_losses(run, [2.0, 1.0, 0.5, 0.4])
    run.keep_metrics(series.summary(series.read_metrics(run.directory / series.METRICS)))
    text = page(client_in, "run_detail", run.pk)
    for shown in ("<caption", "1.2\xa0GB", "1.0\xa0GB", "80.0 %", "Tokens"):
        assert shown in text
    run.refresh_from_db()
    assert run.metrics["planned_tokens"] == 500
    assert run.metrics["peak_memory_bytes"] == 2**30


@pytest.mark.parametrize("query", ["?config=nope", "?config="])
def test_a_plan_of_an_unknown_config_says_so(client_in, dataset, query):
    assert "is no config" in page(client_in, "dataset_plan", dataset.key, query=query)


def test_everything_trained_on_a_contaminated_dataset_carries_the_mark(client_in, dataset):
    run = completed(dataset)
    assert "contaminated" not in page(client_in, "run_detail", run.pk)
    Dataset.objects.filter(pk=dataset.pk).update(leak_count=2)
    for name, *args in (("run_detail", run.pk), ("run_list",), ("leaderboard",)):
        assert "2 train rows of" in page(client_in, name, *args)
    assert "contaminated" in page(client_in, "run_compare", query=f"?base={run.pk}&other={run.pk}")
    assert Run.objects.get(pk=run.pk).to_dict()["contaminated"] is True
