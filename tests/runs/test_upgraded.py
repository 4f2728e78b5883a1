"""Runs that an earlier version examined: it kept fewer figures, and not by which judges."""

import json

import pytest
from django.urls import reverse

from runs import services
from runs.models import Prediction, Run
from tests.runs.exams import make_exam
from tests.runs.making import completed
from training.judges import judge_versions
from tunixrt.jobs import work

pytestmark = pytest.mark.django_db

FIGURES = ("answer_correctness", "format_valid", "mean_steps", "loss", "perplexity")
DECIDED = ("decision", "word", "rule", "reason", "more_items", "evidence", "slices")


@pytest.fixture
def exam(db):
    return make_exam(12)


@pytest.fixture
def old(dataset, exam) -> list[Run]:
    return [as_before(completed(dataset, evalset=exam, right=lambda i, n=n: i < n, seed=n)) for n in (5, 7)]


def as_before(run: Run) -> Run:
    """The run with the rows and the summary that an earlier version left."""
    for evaluation in run.evaluations.all():
        evaluation.judges = {}
        evaluation.metrics = {name: evaluation.metrics[name] for name in FIGURES}
        evaluation.save()
    Prediction.objects.filter(evaluation__run=run).update(loss=None)
    del run.metrics["decision"], run.config["eval"]["checkpoints"]
    run.save(update_fields=["metrics", "config"])
    path = run.directory / "eval.json"
    summary = json.loads(path.read_text())
    summary["metrics"] = {name: summary["metrics"][name] for name in FIGURES}
    path.write_text(json.dumps({name: value for name, value in summary.items() if name not in DECIDED}))
    return run


def test_their_pages_are_shown(client_in, old, exam):
    run, other = old
    item = exam.items.first()
    two = f"?base={run.pk}&other={other.pk}"
    services.set_baseline(run=run)
    of_run = ("run_detail", "run_predictions", "changed_items")
    of_item = ("prediction_detail", "item_over_time", "prediction_promote", "prediction_nearest")
    addresses = [
        *(reverse(name, args=[other.pk]) for name in of_run),
        *(reverse(name, args=[other.pk, item.pk]) for name in of_item),
        *(reverse("run_export", args=[other.pk]) + f"?format={name}" for name in ("html", "lm_eval")),
        *(reverse(name, args=[exam.pk]) for name in ("evalset_history", "evalset_runs")),
        reverse("run_predictions", args=[other.pk]) + "?judged=format_valid:failed",
        reverse("run_compare") + two,
        reverse("run_compare_item", args=[item.pk]) + two,
        reverse("leaderboard"),
        reverse("run_list"),
    ]
    for address in addresses:
        assert client_in.get(address).status_code == 200, address


def test_the_api_answers_for_them(api, old, exam):
    run, other = (services.set_baseline(run=old[0]), old[1])
    two = f"?base={run.pk}&other={other.pk}"
    for address in (
        f"runs/{other.pk}/evaluation",
        f"runs/{other.pk}/gate",
        f"runs/{other.pk}/predictions?judged=format_valid:passed",
        f"runs/compare{two}",
        f"runs/compare/items{two}",
        f"runs/compare/item{two}&id=item-000",
        f"evalsets/{exam.pk}/history",
        f"leaderboard?evalset={exam.pk}",
    ):
        response = api.get(f"/api/{address}")
        assert response.status_code == 200, (address, response.content)


def test_judging_again_gives_them_what_they_lacked(old):
    run = old[0]
    services.rescore_run(run=run)
    work.perform(run.job.pk)
    run.refresh_from_db()
    after = run.evaluations.current().get(stage="after")
    assert after.judges == judge_versions()
    assert after.metrics["step_arithmetic"] is not None
    assert (after.correct_count, run.metrics["decision"]) == (5, "NEED 5 MORE ITEMS")
