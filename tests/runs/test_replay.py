"""What becomes of a replay once it is trained: it is held against its parent, and both keep the answer."""

import pytest

from runs import replay, services
from runs.models import Run
from tests.runs.making import begin, completed, write_ending, write_losses, write_run_record
from tunixrt.jobs import work
from tunixrt.jobs.models import Lost
from tunixrt.lib.errors import Conflict

pytestmark = pytest.mark.django_db


@pytest.fixture
def original(dataset) -> Run:
    run = completed(dataset)
    write_losses(run, [4.0, 2.0])
    write_ending(run, step=2, params="a" * 64)
    return run


def replayed(original: Run, monkeypatch, *, losses=(4.0, 2.0), params="a" * 64, **record) -> Run:
    """A replay of which everything is real but the child, whose files are written here."""
    run = services.replay_run(run=original)

    def trained(*arguments) -> None:
        write_run_record(run, **record)
        write_losses(run, list(losses))
        write_ending(run, step=2, params=params)

    monkeypatch.setattr("runs.pipeline.run_child", trained)
    work.perform(run.job.pk)
    run.refresh_from_db()
    assert run.status == "evaluating", run.error
    original.refresh_from_db()
    return run


def test_a_replay_that_gave_the_same_counts_for_the_run_that_it_repeats(original, monkeypatch):
    for times in (1, 2):
        run = replayed(original, monkeypatch)
        assert (run.replay["same"], run.replay["sentences"]) == (True, [])
        assert original.reproduced == times
    assert original.reproduced_at.isoformat(timespec="seconds") == run.replay["compared_at"]
    assert original.events.last().reason.startswith(f"reproduced by the replay {run.pk}: The same, bit for bit")
    assert run.events.get(reason__startswith=f"compared with {original.pk}, reproduced")


def test_a_replay_that_gave_something_else_says_where_and_why_and_does_not_count(original, monkeypatch):
    run = replayed(original, monkeypatch, losses=(4.0, 2.5), params="b" * 64, libraries={"jax": "2"})
    headline = "The first difference is at step 2 (train): loss is 2.0 and 2.5. "
    headline += "The first input that differs: library jax (1 and 2)."
    assert (run.replay["same"], run.replay["headline"], run.replay["first_step"]) == (False, headline, 2)
    assert (original.reproduced, original.reproduced_at) == (0, None)
    assert original.events.last().reason == f"not reproduced by the replay {run.pk}: {headline}"


def test_an_answer_is_kept_once_however_often_the_work_is_done(original, monkeypatch):
    run = replayed(original, monkeypatch)
    replay.store(run)
    original.refresh_from_db()
    assert (original.reproduced, run.events.filter(reason__startswith="compared").count()) == (1, 1)


def test_only_a_replay_is_compared(dataset, monkeypatch):
    run = services.launch_run(dataset_key=dataset.key, config=completed(dataset).config)
    monkeypatch.setattr("runs.pipeline.run_child", lambda *arguments: None)
    work.perform(run.job.pk)
    run.refresh_from_db()
    assert (run.status, run.replay) == ("evaluating", None)


def test_a_run_without_its_record_is_not_replayed(original):
    (original.directory / "run.json").unlink()
    with pytest.raises(Conflict, match=r"no run\.json any more"):
        services.replay_run(run=original)
    assert original.children.count() == 0


def test_an_owner_who_lost_the_replay_keeps_no_answer(original, monkeypatch):
    run = services.replay_run(run=original)
    job = begin(run)
    monkeypatch.setattr("runs.pipeline.run_child", lambda *arguments: work.give_back(job, "its worker fell silent"))
    with pytest.raises(Lost):
        work.KINDS[job.kind].body(job)
    run.refresh_from_db()
    assert run.replay is None
