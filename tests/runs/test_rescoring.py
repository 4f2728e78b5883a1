"""A run's answers judged again: by service, page, API, admin and command."""

import json

import pytest
from django.core.management import call_command

from runs import rescoring, services
from runs.models import Evaluation
from runs.timelapse import time_lapse
from tests.runs.exams import answers_of
from tests.runs.making import completed, lapsed
from training import judges
from training.judges import JUDGES, Judge, Judgement, judge_versions
from tunixrt.jobs import work
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Conflict

pytestmark = pytest.mark.django_db


@pytest.fixture
def judged_of_old(dataset, monkeypatch):
    """A completed run whose answers were judged by an older judge, which took all of them for wrong."""
    with monkeypatch.context() as older:
        strict = Judge("answer_correctness", "0", lambda item, output, recipe: Judgement(0.0, "too strict"))
        older.setitem(JUDGES, "answer_correctness", strict)
        older.delitem(JUDGES, "step_count")
        older.setattr(judges, "is_right", lambda item, answer: False)
        run = completed(dataset)
    assert run.metrics["answer_correctness"] == 0
    return run


def rescore(run, by=None):
    """Asks for it and does it, as a worker would."""
    services.rescore_run(run=run, by=by)
    job = run.job
    work.perform(job.pk)
    job.refresh_from_db()
    run.refresh_from_db()
    return job


def current(run) -> dict[str, Evaluation]:
    return {evaluation.stage: evaluation for evaluation in run.evaluations.current()}


def test_new_rows_replace_the_old_ones_and_the_run_shows_what_they_say(judged_of_old, user):
    run, old = judged_of_old, current(judged_of_old)
    outputs = list(answers_of(run, "after").values_list("output", flat=True))
    job = rescore(run, by=user)
    assert (job.status, job.queue, job.created_by) == ("done", "short", user)
    new = current(run)
    assert new.keys() == old.keys()
    assert not {evaluation.pk for evaluation in new.values()} & {evaluation.pk for evaluation in old.values()}
    assert {evaluation.pk for evaluation in run.evaluations.filter(status="replaced")} == {
        evaluation.pk for evaluation in old.values()
    }
    rows = answers_of(run, "after")
    assert list(rows.values_list("output", flat=True)) == outputs
    assert all(row.correct and row.loss is not None for row in rows)
    assert {row.judges["answer_correctness"]["version"] for row in rows} == {judge_versions()["answer_correctness"]}
    assert new["after"].judges == judge_versions()
    assert new["after"].metrics["answer_correctness"] == run.metrics["answer_correctness"] == 1
    assert (run.status, run.metrics["won"]) == ("completed", len(rows))
    assert json.loads((run.directory / "eval.json").read_text())["metrics"] == new["after"].metrics


def test_a_time_lapse_is_judged_again_at_every_checkpoint(dataset, monkeypatch):
    rights = {0: lambda i: False, 2: lambda i: i < 3, 4: lambda i: i < 2}
    with monkeypatch.context() as older:
        older.setattr(judges, "is_right", lambda item, answer: False)
        run = lapsed(dataset, rights)
    assert (run.metrics["best_step"], run.metrics["best_correctness"]) == (0, 0)
    rescore(run)
    counts = run.evaluations.current().order_by("checkpoint_step").values_list("checkpoint_step", "correct_count")
    assert list(counts) == [(0, 0), (2, 3), (4, 2)]
    found = time_lapse(run)
    assert (run.metrics["best_step"], found.best.chosen.step, len(found.forgotten)) == (2, 2, 1)


def test_its_history_says_by_which_judges_and_what_came_of_it(judged_of_old, user):
    rescore(judged_of_old, by=user)
    asked, done = list(judged_of_old.events.order_by("-id")[:2])[::-1]
    assert (asked.reason, asked.created_by) == ("to be judged again", user)
    version, count = judge_versions()["answer_correctness"], judged_of_old.evalset.item_count
    assert f"answer_correctness 0 → {version}" in done.reason
    assert "step_count none → 1" in done.reason
    assert "format_valid" not in done.reason
    assert done.reason.endswith(f"0 right before and 0 after, now 0 right before and {count} after")


def test_answers_that_take_long_to_judge_each_give_a_sign_of_life(judged_of_old, monkeypatch):
    clock, ticks = [0.0], []

    def slow(item, output, recipe):
        clock[0] += 5
        return Judgement(1.0, "took five seconds")

    monkeypatch.setitem(JUDGES, "step_count", Judge("step_count", "9", slow))
    monkeypatch.setattr(rescoring.time, "monotonic", lambda: clock[0])
    services.rescore_run(run=judged_of_old)
    work.perform(judged_of_old.job.pk, watch=lambda job: ticks.append(job.done))
    rows = 2 * judged_of_old.evalset.item_count
    assert ticks[:rows] == list(range(1, rows + 1))


def test_a_second_request_while_it_waits_is_harmless(judged_of_old):
    services.rescore_run(run=judged_of_old)
    services.rescore_run(run=judged_of_old)
    assert Job.objects.filter(target=judged_of_old.pk, kind="rescore_run").count() == 1


def test_nothing_else_is_begun_with_a_run_meanwhile(judged_of_old):
    services.rescore_run(run=judged_of_old)
    for service in (services.evaluate_run, services.purge_run):
        with pytest.raises(Conflict, match="Something else is being done"):
            service(run=judged_of_old)
    judged_of_old.refresh_from_db()
    assert judged_of_old.status == "completed"


def test_a_run_without_answers_has_nothing_to_judge(run):
    with pytest.raises(Conflict, match="it has no answers to judge"):
        services.rescore_run(run=run)
    assert run.job.kind == "train_run"


@pytest.mark.parametrize("name", ["eval.json", "eval_after.jsonl"])
def test_files_that_are_gone_are_named_and_the_present_rows_stay(judged_of_old, name):
    old = current(judged_of_old)
    (judged_of_old.directory / name).unlink()
    job = rescore(judged_of_old)
    assert job.status == "failed"
    assert name in job.error
    assert "Examine the run again" in job.error
    assert current(judged_of_old) == old
    assert judged_of_old.events.last().reason.startswith("judging it again stopped: artifacts_missing")


def test_pages_say_that_judges_are_older_and_offer_to_judge_again(client_in, judged_of_old):
    for page in (f"/runs/{judged_of_old.pk}/", f"/runs/{judged_of_old.pk}/predictions/"):
        text = client_in.get(page).content.decode()
        assert "Judged by older judges: answer_correctness 0 → " in text
        assert f'action="/runs/{judged_of_old.pk}/rescore/"' in text
    assert client_in.post(f"/runs/{judged_of_old.pk}/rescore/").status_code == 302
    text = client_in.get(f"/runs/{judged_of_old.pk}/").content.decode()
    assert "being judged again: waiting for a worker" in text
    work.perform(judged_of_old.job.pk)
    text = client_in.get(f"/runs/{judged_of_old.pk}/").content.decode()
    assert "older judges" not in text
    assert "judged again: answer_correctness 0 → " in text


def test_api_admin_and_command_ask_for_the_same(api, admin_client, judged_of_old):
    answer = api.post(f"/api/runs/{judged_of_old.pk}/rescore")
    assert (answer.status_code, answer.json()["id"]) == (202, str(judged_of_old.pk))
    admin_client.post("/admin/runs/run/", {"action": "rescore", "_selected_action": [str(judged_of_old.pk)]})
    call_command("rescore_run", str(judged_of_old.pk))
    assert Job.objects.filter(target=judged_of_old.pk, kind="rescore_run").count() == 1
    assert api.get(f"/api/runs/{judged_of_old.pk}/evaluation").json()["after"]["judges"]["answer_correctness"] == "0"


def test_the_api_refuses_a_run_without_answers(api, run):
    assert api.post(f"/api/runs/{run.pk}/rescore").status_code == 409
