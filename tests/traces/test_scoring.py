"""Scoring in bulk: every trace once, whatever happens in between, and the same on both databases."""

import json

import pytest
from django.core.management import call_command

from tests.factories import make_trace, make_traces, make_user
from traces import services
from traces.models import Score, Scoring, Trace
from traces.pipeline import scoring as pipeline
from traces.scorers import SCORERS
from training.errors import Invalid
from tunixrt.jobs import work
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Conflict

pytestmark = pytest.mark.django_db


def begin(*scorers: str, filters=None, at_once=True, **options) -> Scoring:
    return services.begin_scoring(scorers=scorers, filters=filters or {}, by=None, at_once=at_once, **options)


def test_every_trace_gets_a_score_by_every_scorer(user):
    make_traces(5)
    scoring = services.begin_scoring(scorers=["all"], filters={}, by=user, at_once=True)
    assert scoring.job.status == Job.Status.DONE
    assert (scoring.scored_count, Score.objects.count()) == (5 * len(SCORERS), 5 * len(SCORERS))
    assert set(Score.objects.values_list("scorer", flat=True)) == set(SCORERS)
    assert set(Score.objects.values_list("created_by", flat=True)) == {user.pk}


def test_a_score_holds_points_the_first_wrong_step_and_the_details():
    trace = make_trace(steps=["1 + 1 = 2", "2 + 2 = 5"])
    begin("arithmetic", "problem")
    right, nothing = trace.scores.get(scorer="arithmetic"), trace.scores.get(scorer="problem")
    assert (right.score, right.first_wrong, right.version) == (50, 1, SCORERS["arithmetic"].version)
    assert right.details["steps"][1] == {"i": 1, "ok": False, "reason": "2 + 2 is 4, not 5"}
    assert (nothing.score, nothing.first_wrong) == (None, None)


def test_only_what_passes_the_filters_is_scored():
    make_trace(meta={"source": "book"})
    make_trace(meta={"source": "web"})
    assert begin("baseline", filters={"source": "book"}).scored_count == 1
    assert Score.objects.get().trace.source == "book"


def test_a_score_that_is_there_is_not_given_again():
    make_traces(3)
    begin("baseline")
    before = set(Score.objects.values_list("pk", "created_at"))
    make_traces(2)
    scoring = begin("baseline")
    assert (scoring.scored_count, scoring.job.done, scoring.job.total) == (2, 5, 5)
    assert before < set(Score.objects.values_list("pk", "created_at"))


def test_a_score_by_an_older_version_stays_beside_the_new_one():
    (trace,) = make_traces(1)
    Score.objects.create(trace=trace, scorer="baseline", version="0", score=1)
    begin("baseline")
    assert set(trace.scores.values_list("version", flat=True)) == {"0", "1"}


def test_no_traces_is_no_fault():
    scoring = begin("all")
    assert (scoring.job.status, scoring.scored_count) == (Job.Status.DONE, 0)


def test_an_interrupted_scoring_goes_on_where_it_was(monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_ROWS", 2)
    make_traces(7)

    def dies(job: Job) -> None:
        if job.done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin("baseline", watch=dies)
    scoring = Scoring.objects.get()
    kept = Score.objects.count()
    assert 0 < kept < 7
    assert scoring.scored_count == kept
    job = scoring.job
    work.give_back(job, "its worker fell silent")
    work.perform(job.pk)
    scoring.refresh_from_db()
    assert (scoring.job.status, scoring.scored_count, Score.objects.count()) == (Job.Status.DONE, 7, 7)


def test_a_cancelled_scoring_keeps_what_it_has_scored(monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_ROWS", 2)
    make_traces(6)

    def cancels(job: Job) -> None:
        if job.done == 4:
            services.cancel_scoring(scoring=Scoring.objects.get())

    scoring = begin("baseline", watch=cancels)
    assert scoring.job.status == Job.Status.CANCELLED
    assert scoring.scored_count == Score.objects.count() < 6
    with pytest.raises(Conflict, match="has ended"):
        services.cancel_scoring(scoring=scoring)


def test_a_trace_that_is_deleted_meanwhile_is_left_out(monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_ROWS", 2)
    traces = make_traces(4)
    judged = pipeline.score_rows

    def judges(*arguments, **options):
        rows = judged(*arguments, **options)
        Trace.objects.filter(pk=traces[0].pk).delete()
        return rows

    monkeypatch.setattr(pipeline, "score_rows", judges)
    assert begin("baseline").scored_count == 3


def test_a_worker_does_what_is_not_done_at_once(rung, django_capture_on_commit_callbacks):
    make_traces(2)
    with django_capture_on_commit_callbacks(execute=True):
        scoring = begin("baseline", at_once=False)
    assert [job.target for job in rung] == [scoring.pk]
    assert not Score.objects.exists()
    work.perform(scoring.job.pk)
    assert Score.objects.count() == 2


@pytest.mark.parametrize(
    ("scorers", "filters", "message"),
    [
        (["beauty"], {}, "not a scorer"),
        ([], {}, "names no scorer"),
        ([5], {}, "not a scorer"),
        (["baseline"], {"min_score": "much"}, "must be a number"),
    ],
)
def test_what_cannot_be_scored_is_told_and_nothing_begins(scorers, filters, message):
    with pytest.raises(Invalid, match=message):
        begin(*scorers, filters=filters)
    assert not Scoring.objects.exists()


def test_a_few_traces_are_scored_now():
    traces = make_traces(3)
    assert services.score_traces(traces=Trace.objects.filter(pk=traces[0].pk), scorer="all", by=make_user()) == 1
    assert Score.objects.count() == len(SCORERS)


def test_scoring_one_trace_again_replaces_its_score(user):
    (trace,) = make_traces(1)
    first = services.score_trace(trace=trace, scorer="arithmetic", by=None)
    again = services.score_trace(trace=trace, scorer="arithmetic", by=user)
    assert (first.pk, again.created_by) == (again.pk, user)


# the command


def command(capsys, *arguments: str) -> dict:
    call_command("score_traces", *arguments, "--json")
    return json.loads(capsys.readouterr().out)


def test_the_command_scores_by_filters_and_tells_what_is_new(capsys):
    make_trace(meta={"source": "book", "level": 3})
    make_trace(meta={"source": "book"})
    make_trace()
    answer = command(capsys, "--scorer", "arithmetic", "--source", "book", "--filter", "meta.level=3")
    assert answer == {"scorer": "arithmetic", "traces": 1, "scored": 1}
    assert command(capsys, "--scorer", "all") == {"scorer": "all", "traces": 3, "scored": 3 * len(SCORERS) - 1}
    assert command(capsys) == {"scorer": "baseline", "traces": 3, "scored": 0}


@pytest.mark.parametrize("argument", ["nothing", "colour=red", "min_score=much"])
def test_a_filter_that_does_not_exist_is_told(capsys, argument):
    with pytest.raises(SystemExit) as stop:
        call_command("score_traces", "--filter", argument, "--json")
    assert stop.value.code == 1
    assert json.loads(capsys.readouterr().out)["code"] == "invalid"
