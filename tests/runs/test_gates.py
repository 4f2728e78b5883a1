"""Baselines, and the gate that holds runs against them: service, page, API, command, admin."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from datasets_app.models import EvalItem
from datasets_app.services import evalset_from_split
from runs import services, verdicts
from runs.models import Baseline, Run, RunEvent
from runs.services import gating
from tests.factories import NOBODY
from tests.runs.exams import examined, judged_by, make_exam
from tests.runs.making import end, write_examination
from tunixrt.lib.errors import Conflict, Rule

pytestmark = pytest.mark.django_db


@pytest.fixture
def exam(db):
    return make_exam()


@pytest.fixture
def good(dataset, exam):
    return examined(dataset, exam, 40, seed=1, name="the good one")


@pytest.fixture
def bad(dataset, exam):
    return examined(dataset, exam, 20, seed=2, name="the bad one")


@pytest.fixture
def baseline(good, user):
    return services.set_baseline(run=good, by=user)


# --- the baseline ---------------------------------------------------------------------------------


def test_the_newest_baseline_counts_and_the_earlier_ones_stay(good, bad, user):
    assert Baseline.objects.of(good.evalset) is None
    for run in (bad, good, good):
        services.set_baseline(run=run, by=user)
    assert Baseline.objects.of(good.evalset).run == good
    assert [baseline.run for baseline in good.evalset.baselines.all()] == [good, bad]
    event = RunEvent.objects.filter(run=good, reason__startswith="made the baseline").get()
    assert (event.reason, event.created_by) == ("made the baseline of exam", user)


def test_each_evalset_has_its_own(dataset, good, baseline):
    other = examined(dataset, make_exam(name="another exam"), seed=3)
    services.set_baseline(run=other)
    assert Baseline.objects.of(good.evalset).run == good
    assert Baseline.objects.of(other.evalset).run == other


def test_a_run_without_a_score_is_no_baseline(run):
    with pytest.raises(Conflict, match="is pending and has no score: it cannot be the baseline"):
        services.set_baseline(run=run)
    end(run, "failed", "bad")
    with pytest.raises(Conflict, match="training failed"):
        services.set_baseline(run=run)


def test_a_run_that_is_being_deleted_is_no_baseline(good):
    Run.objects.filter(pk=good.pk).update(removal="delete")
    with pytest.raises(Conflict, match="is being deleted"):
        services.set_baseline(run=good)


def test_the_page_the_api_the_command_and_the_admin_set_it(client_in, api, admin_client, good, bad, capsys):
    response = client_in.post(reverse("run_baseline", args=[bad.pk]))
    assert response.url == reverse("run_detail", args=[bad.pk])
    assert Baseline.objects.of(good.evalset).run == bad
    assert api.post(f"/api/runs/{good.pk}/baseline").json()["id"] == str(good.pk)
    assert Baseline.objects.of(good.evalset).run == good
    call_command("set_baseline", str(bad.pk))
    assert capsys.readouterr().out == f"the bad one ({bad.pk}) is the baseline of its evalset now.\n"
    admin_client.post("/admin/runs/run/", {"action": "baseline", "_selected_action": [str(good.pk)]})
    assert [baseline.run for baseline in Baseline.objects.all()] == [good, bad, good, bad]
    assert "the good one" in admin_client.get("/admin/runs/baseline/").content.decode()


def test_a_look_sets_no_baseline(client_in, api, good):
    assert client_in.get(reverse("run_baseline", args=[good.pk])).status_code == 405
    assert api.get(f"/api/runs/{good.pk}/baseline").status_code == 405
    assert not Baseline.objects.exists()


def test_what_cannot_be_the_baseline_says_why(client_in, api, run):
    refused = api.post(f"/api/runs/{run.pk}/baseline")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_examined")
    assert (
        "cannot be the baseline" in client_in.post(reverse("run_baseline", args=[run.pk]), follow=True).content.decode()
    )
    assert api.post(f"/api/runs/{NOBODY}/baseline").status_code == 404


# --- and its deletion -----------------------------------------------------------------------------


def test_a_baseline_is_not_deleted_while_others_are_held_against_it(client_in, api, baseline, bad):
    assert services.preview_removal(run=baseline, removal="delete").baseline_of == baseline.evalset
    assert services.preview_removal(run=baseline, removal="purge").baseline_of is None
    page = client_in.get(reverse("run_delete", args=[baseline.pk])).content.decode()
    assert "it is the baseline of exam" in page
    assert "disabled" in page
    previews = api.get(f"/api/runs/{baseline.pk}/removal").json()["data"]
    assert {each["removal"]: each["baseline_of"] for each in previews} == {
        "purge": None,
        "delete": str(baseline.evalset_id),
    }
    refused = api.delete(f"/api/runs/{baseline.pk}")
    assert (refused.status_code, refused.json()["code"]) == (409, "baseline")
    assert "make another run the baseline" in refused.json()["detail"]
    services.set_baseline(run=bad)
    assert api.delete(f"/api/runs/{baseline.pk}").status_code == 204
    assert [each.run for each in Baseline.objects.all()] == [bad]


def test_a_baseline_goes_with_the_last_run_of_its_evalset(baseline):
    services.delete_run(run=baseline)
    assert not Baseline.objects.exists()


def test_a_baseline_can_be_purged_and_still_holds_others(baseline, bad):
    services.purge_run(run=baseline)
    assert not services.gate_run(run=bad).gate.passed


# --- the gate -------------------------------------------------------------------------------------


def test_a_run_is_held_against_the_baseline_of_its_evalset(dataset, exam, baseline, bad):
    found = services.gate_run(run=bad)
    assert (found.base, found.other, found.gate.passed) == (baseline, bad, False)
    assert found.gate.reason.startswith("Surely worse: 0 won and 20 lost of 40 (-50.0 points")
    nearly = examined(dataset, exam, 37, seed=3)
    assert services.gate_run(run=nearly).gate.passed
    assert services.gate_run(run=bad, base=bad).gate.passed
    assert services.gate_run(run=bad, margin=70).gate.passed
    assert not services.gate_run(run=bad, margin=20).gate.passed


def test_a_part_that_got_worse_stops_a_run(dataset, exam):
    base = examined(dataset, exam, 0, seed=1)
    base.evaluations.get(stage="after").predictions.filter(item__category="words").update(correct=True)
    other = examined(dataset, exam, 0, seed=2)
    other.evaluations.get(stage="after").predictions.filter(item__category="sums").update(correct=True)
    found = services.gate_run(run=other, base=base)
    assert (found.gate.evidence.won, found.gate.evidence.lost) == (20, 20)
    assert [part.label for part in found.gate.worse] == ["words"]


def test_without_a_baseline_there_is_no_gate(bad):
    with pytest.raises(Conflict, match=r"exam has no baseline\. Choose one: manage\.py set_baseline RUN"):
        services.gate_run(run=bad)


def test_runs_without_results_or_on_other_items_are_not_held_against_it(dataset, baseline, run):
    with pytest.raises(Conflict, match="no baseline"):
        services.gate_run(run=run)
    with pytest.raises(Rule, match="different evalsets"):
        services.gate_run(run=run, base=baseline)
    waiting = services.launch_run(dataset_key=dataset.key, config=run.config, evalset=baseline.evalset)
    with pytest.raises(Conflict, match="has no results to compare: it is pending"):
        services.gate_run(run=waiting)


@pytest.mark.parametrize("version", ["0", ""])
def test_runs_that_were_judged_otherwise_are_not_held_against_each_other(baseline, bad, version):
    judged_by(baseline, version)
    with pytest.raises(Rule, match="were not judged alike: the good one by answer_correctness") as refused:
        services.gate_run(run=bad)
    assert refused.value.code == "judges_differ"


def test_the_cost_of_the_gate_does_not_grow_with_the_items(dataset, django_assert_num_queries):
    for count in (10, 80):
        exam = make_exam(count, name=f"of {count}")
        base, other = (examined(dataset, exam, count, seed=seed) for seed in (1, 2))
        with django_assert_num_queries(5):
            services.gate_run(run=Run.objects.with_dataset().get(pk=other.pk), base=base)


def test_what_was_held_against_a_baseline_once_is_remembered(baseline, bad, monkeypatch, django_assert_num_queries):
    first = services.gate_run(run=bad, base=baseline)
    with django_assert_num_queries(2):
        assert services.gate_run(run=bad, base=baseline) == first
    monkeypatch.setattr(gating, "KEPT", 0)
    assert services.gate_run(run=bad, base=baseline, margin=70).gate.passed
    assert services.gate_run(run=bad, base=baseline) == first


def test_a_run_that_is_judged_again_is_held_against_the_baseline_again(baseline, bad):
    assert not services.gate_run(run=bad).gate.passed
    write_examination(bad, before=lambda i: False, after=lambda i: True)
    verdicts.store(bad)
    assert services.gate_run(run=bad).gate.passed


# --- its faces ------------------------------------------------------------------------------------


def gate(capsys, *arguments: str) -> tuple[int, str]:
    """The exit code of the command and what it said."""
    try:
        call_command("compare_runs", *arguments)
        code = 0
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr()
    return code, said.out + said.err


def test_the_command_exits_by_what_the_gate_says(baseline, bad, capsys):
    code, said = gate(capsys, "--gate", str(bad.pk))
    assert code == 3
    assert said.startswith("Surely worse: 0 won and 20 lost of 40")
    assert said.count("\n") == 1
    assert gate(capsys, str(bad.pk), "--gate") == (3, said)
    assert gate(capsys, str(bad.pk), str(baseline.pk), "--gate")[0] == 0
    assert gate(capsys, str(baseline.pk), str(bad.pk), "--gate", "--margin", "70")[0] == 0
    assert gate(capsys, "--gate", str(baseline.pk))[0] == 0


def test_the_command_prints_json(baseline, bad, capsys):
    code, said = gate(capsys, "--gate", str(bad.pk), "--json")
    found = json.loads(said)
    assert (code, found["passed"], found["lost"], found["margin"]) == (3, False, 20, 0.0)
    assert (found["base"], found["other"]) == (str(baseline.pk), str(bad.pk))


def test_a_gate_that_cannot_be_asked_fails(bad, run, capsys):
    assert gate(capsys, "--gate", str(bad.pk)) == (
        1,
        "exam has no baseline. Choose one: manage.py set_baseline RUN\n",
    )
    assert gate(capsys, "--gate", NOBODY)[0] == 1
    assert gate(capsys, "x", str(bad.pk), "--gate")[0] == 1
    code, said = gate(capsys, "--gate", str(bad.pk), "--json")
    assert (code, json.loads(said)["code"]) == (1, "no_baseline")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["RUN"], "Give two runs, or --gate with one"),
        (["RUN", "RUN", "--margin", "2"], "--margin goes with --gate"),
        (["--gate", "RUN", "--margin", "-1"], "margin"),
        (["--gate", "RUN", "--margin", "nan"], "must be a number of points from 0 to 100"),
        (["--gate", "RUN", "--margin", "101"], "must be a number of points from 0 to 100"),
        (["--gate"], "required"),
    ],
)
def test_wrong_use_exits_2(bad, arguments, words):
    named = [argument.replace("RUN", str(bad.pk)) for argument in arguments]
    with pytest.raises(CommandError, match=words) as wrong:
        call_command("compare_runs", *named)
    assert wrong.value.returncode == 2 or wrong.value.args[0].startswith("Error: ")  # argparse's own exit with 2


def test_the_api_answers_what_the_gate_says(api, baseline, bad):
    found = api.get(f"/api/runs/{bad.pk}/gate").json()
    assert (found["passed"], found["won"], found["lost"], found["n"]) == (False, 0, 20, 40)
    assert found["base"] == str(baseline.pk)
    assert found["reason"].startswith("Surely worse")
    assert api.get(f"/api/runs/{bad.pk}/gate?margin=70").json()["passed"] is True
    assert api.get(f"/api/runs/{bad.pk}/gate?base={bad.pk}").json()["passed"] is True


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?margin=-1", 422),
        ("?margin=nan", 422),
        ("?margin=", 422),
        ("?margin=%00", 422),
        ("?base=x", 422),
        (f"?base={NOBODY}", 422),
        ("?base=%00", 422),
        ("?other=1", 422),
    ],
)
def test_a_wrong_question_is_refused(api, bad, baseline, query, status):
    assert api.get(f"/api/runs/{bad.pk}/gate{query}").status_code == status


def test_a_gate_that_cannot_be_asked_says_why(api, bad, dataset):
    refused = api.get(f"/api/runs/{bad.pk}/gate")
    assert (refused.status_code, refused.json()["code"]) == (409, "no_baseline")
    other = examined(dataset, evalset_from_split(dataset=dataset, split="train"), seed=4)
    assert api.get(f"/api/runs/{bad.pk}/gate?base={other.pk}").status_code == 422
    assert api.get(f"/api/runs/{NOBODY}/gate").status_code == 404


def test_the_page_of_a_run_says_what_the_gate_says(client_in, good, bad, user):
    def page(run):
        return client_in.get(reverse("run_detail", args=[run.pk])).content.decode()

    assert "No run is the baseline of exam yet" in page(bad)
    services.set_baseline(run=good, by=user)
    assert "Surely worse: 0 won and 20 lost of 40" in page(bad)
    assert "Other runs on exam are held against this one" in page(good)
    judged_by(good, "0")
    assert "were not judged alike" in page(bad)


def test_a_run_that_was_not_examined_shows_no_gate(client_in, run):
    assert 'id="gate"' not in client_in.get(reverse("run_detail", args=[run.pk])).content.decode()


def test_labels_are_shown_as_text(client_in, baseline, bad):
    EvalItem.objects.filter(category="sums").update(category="<script>alert(1)</script>")
    text = client_in.get(reverse("run_detail", args=[bad.pk])).content.decode()
    assert "<script>alert(1)" not in text
