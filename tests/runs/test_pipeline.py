"""The life of a run: whatever happens to worker, child, bell or files, it ends in a true state."""

import json
import sys

import pytest

from runs import services, verdicts
from runs.children import run_child
from runs.models import Evaluation, Run
from runs.pipeline import EvaluateRun, TrainRun, evaluate_argv, prepare_directory, train_argv
from tests.runs.exams import answers_of
from tests.runs.making import TINY, begin, completed, end, write_examination, write_losses
from training.files import write_atomic
from training.replay import compare
from tunixrt.jobs import work
from tunixrt.jobs.models import Cancelled, HandBack, Job
from tunixrt.lib.errors import Conflict, Refused

LEDGER = ["rows.jsonl", "losses.bin"]

pytestmark = pytest.mark.django_db


def statuses(run: Run) -> list[str]:
    return list(run.events.values_list("to_status", flat=True))


def child(code: str) -> list[str]:
    """A real process that does what a trainer may do."""
    return [sys.executable, "-c", code]


@pytest.fixture
def job(run):
    run.directory.mkdir(parents=True)
    return begin(run)


def test_training_begins_with_a_counted_attempt(run):
    job = begin(run)
    assert (run.status, run.attempt) == ("training", 1)
    assert run.started_at is not None
    assert job.worker in run.events.last().reason


def test_the_end_of_training_is_the_beginning_of_the_examination(run, django_capture_on_commit_callbacks, rung):
    with django_capture_on_commit_callbacks(execute=True):
        end(run)
    assert statuses(run) == ["pending", "training", "evaluating"]
    assert (run.job.kind, run.job.status) == ("evaluate_run", "queued")
    assert rung[-1] == run.job


def test_a_lost_bell_is_rung_again(run, rung, monkeypatch):
    monkeypatch.setattr(work, "doorbells", lambda queue: 0)
    end(run)
    rung.clear()
    work.Sweeper(lease_seconds=9).sweep()
    assert [job.kind for job in rung] == ["evaluate_run"]


def test_a_worker_that_dies_between_training_and_examination_leaves_a_run_that_is_examined(run, monkeypatch):
    monkeypatch.setattr(work, "doorbells", lambda queue: 1)
    now = [0.0]
    sweeper = work.Sweeper(lease_seconds=9, clock=lambda: now[0])
    end(run)
    begin(run)  # the worker takes the examination and dies
    for now[0] in (1.0, 9.0, 11.0):
        sweeper.sweep()
    run.refresh_from_db()
    assert (run.status, run.job.status) == ("evaluating", "queued")
    write_examination(run, before=lambda i: False, after=lambda i: True)
    monkeypatch.setattr("runs.pipeline.run_child", lambda *args: None)
    work.perform(run.job.pk)
    run.refresh_from_db()
    assert run.status == "completed"
    assert run.events.filter(reason="its worker fell silent").count() == 1


def test_a_silent_trainer_goes_back_to_pending_and_after_three_attempts_fails(run, monkeypatch):
    monkeypatch.setattr(work, "doorbells", lambda queue: 1)
    now = [0.0]
    sweeper = work.Sweeper(lease_seconds=9, clock=lambda: now[0])
    for attempt in range(1, 4):
        begin(run)
        assert run.attempt == attempt
        sweeper.sweep()
        now[0] += 10
        sweeper.sweep()
        run.refresh_from_db()
    assert run.status == "training_failed"
    assert "3 attempts without progress" in run.error
    assert statuses(run).count("pending") == 3


def test_a_second_delivery_finds_nothing_to_do(run):
    job = begin(run)
    work.perform(job.pk)
    work.perform(job.pk)
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("training", 1)


def test_a_failed_training_says_why(run):
    end(run, Job.Status.FAILED, "the loss became nan at step 3")
    assert (run.status, run.error) == ("training_failed", "the loss became nan at step 3")
    assert run.finished_at is not None


def test_a_cancelled_training_is_cancelled(run):
    end(run, Job.Status.CANCELLED, "cancelled on request")
    assert run.status == "cancelled"


def test_who_was_told_that_it_will_be_cancelled_is_not_contradicted(run):
    job = begin(run)
    services.cancel_run(run=run)
    work.finish(job, Job.Status.DONE)
    run.refresh_from_db()
    assert run.status == "cancelled"


def test_a_cancel_that_comes_too_late_is_refused(run, monkeypatch):
    job = begin(run)
    stale = Job.objects.get(pk=job.pk)
    work.finish(job, Job.Status.DONE)
    monkeypatch.setattr(Run, "job", stale)
    with pytest.raises(Conflict, match="at this very moment"):
        services.cancel_run(run=run)


def test_an_owner_who_lost_the_run_writes_nothing(run):
    job = begin(run)
    work.give_back(Job.objects.get(pk=job.pk), "its worker fell silent")
    work.finish(job, Job.Status.DONE)
    run.refresh_from_db()
    assert run.status == "pending"


def test_changed_rows_fail_the_run_before_anything_starts(run):
    run.dataset.rows_path.write_text("{}\n")
    work.perform(run.job.pk)
    run.refresh_from_db()
    assert run.status == "training_failed"
    assert run.error.startswith("dataset_changed")
    assert not run.directory.exists()


def test_missing_rows_fail_the_run(run):
    run.dataset.rows_path.unlink()
    work.perform(run.job.pk)
    run.refresh_from_db()
    assert run.error.startswith("dataset_changed")


@pytest.mark.parametrize("stage", [TrainRun, EvaluateRun])
def test_checkpoints_that_are_gone_fail_the_run_instead_of_beginning_anew(job, run, stage, monkeypatch):
    run.keep_sealed(4)
    monkeypatch.setattr("runs.pipeline.run_child", lambda *args: pytest.fail("nothing may be started"))
    with pytest.raises(Refused, match="artifacts_missing: step 4 was sealed"):
        stage().body(job)


def test_a_directory_that_cannot_be_written_fails_the_run_with_its_place(run):
    run.directory.parent.mkdir(parents=True)
    run.directory.write_text("a file in its place")
    work.perform(run.job.pk)
    run.refresh_from_db()
    assert run.status == "training_failed"
    assert f"artifacts_unwritable: {run.directory}" in run.error


def test_the_child_gets_the_whole_config_and_no_shell(run):
    prepare_directory(run)
    assert json.loads((run.directory / "config.json").read_text()) == run.config
    argv = train_argv(run)
    assert argv[:3] == [sys.executable, "-m", "training.train_jax"]
    assert argv[argv.index("--run_id") + 1] == str(run.pk)
    assert argv[argv.index("--seed") + 1] == "5"
    assert "--parent" not in argv
    assert argv_value(evaluate_argv(run), "--evalset") == str(run.evalset.path)


def test_the_child_of_a_replay_gets_the_record_of_the_run_that_it_repeats_and_nothing_else(dataset):
    run = completed(dataset)
    again = services.replay_run(run=run)
    argv = train_argv(again)
    assert argv_value(argv, "--replay") == str(run.directory)
    assert argv_value(argv, "--parent") == str(run.pk)
    assert argv_value(argv, "--run_id") == str(again.pk)
    assert "--resume" in argv
    assert not {"--config", "--dataset", "--seed", "--microbatch"} & set(argv)


def test_the_child_of_the_other_engine_is_its_script_in_its_environment(dataset, tunix):
    run = services.launch_run(dataset_key=dataset.key, config=TINY, engine="tunix")
    assert train_argv(run)[:3] == [str(tunix), "-m", "training.train_sft_tunix"]
    assert evaluate_argv(run)[:3] == [sys.executable, "-m", "training.eval_run"]  # our own family: either can ask it
    run.config["model"]["family"] = "qwen3"
    assert evaluate_argv(run)[0] == str(tunix)


def argv_value(argv: list[str], name: str) -> str:
    return argv[argv.index(name) + 1]


def test_a_resumed_run_begins_with_what_its_parent_sealed(run):
    write_losses(run, [3.0, 2.0])
    for name in LEDGER:
        write_atomic(run.directory / "ledger" / name, name)
    step = run.directory / "checkpoints" / "2"
    step.mkdir(parents=True)
    (step / "MANIFEST.json").write_text("{}")
    (run.directory / "tokenizer.json").write_text("{}")
    (run.directory / "run.json").write_text(json.dumps({"format_version": 1, "run_id": str(run.pk), "parent": None}))
    (run.directory / "samples.jsonl").write_text('{"step": 2}\n')
    end(run, Job.Status.CANCELLED)
    again = services.resume_run(run=run)
    prepare_directory(again)
    taken = again.directory / "checkpoints" / "2" / "MANIFEST.json"
    assert taken.stat().st_ino == (step / "MANIFEST.json").stat().st_ino
    assert (again.directory / "metrics.jsonl").read_bytes() == (run.directory / "metrics.jsonl").read_bytes()
    assert [(again.directory / "ledger" / name).read_text() for name in LEDGER] == LEDGER
    assert (again.directory / "samples.jsonl").read_text() == '{"step": 2}\n'
    record = json.loads((again.directory / "run.json").read_text())
    assert (record["run_id"], record["parent"]) == (str(again.pk), str(run.pk))
    (again.directory / "metrics.jsonl").write_text("")
    assert (run.directory / "metrics.jsonl").read_text()
    prepare_directory(again)  # a second attempt keeps what the first has done
    assert (again.directory / "metrics.jsonl").read_text() == ""


def test_a_child_that_ends_well_has_told_how_far_it_was(job, run):
    event = {"event": "progress", "done": 4, "total": 4, "message": "training"}
    run_child(job, run, child(f"print({json.dumps(json.dumps(event))})"))
    job.refresh_from_db()
    assert (job.done, job.total, job.message) == (4, 4, "training")


def test_what_a_child_notices_belongs_to_the_history_of_its_run(job, run):
    event = {"event": "notice", "message": "warning: checkpoint 4 is damaged"}
    run_child(job, run, child(f"print({json.dumps(json.dumps(event))})"))
    assert run.events.last().reason == "warning: checkpoint 4 is damaged"


def test_what_a_child_plans_to_take_is_kept_with_its_run(job, run):
    event = {"event": "plan", "peak_memory_bytes": 2**30, "tokens": 500, "updates": 4}
    run_child(job, run, child(f"print({json.dumps(json.dumps(event))})"))
    run.keep_metrics({"total_tokens": 400})
    run.refresh_from_db()
    planned = {"planned_memory_bytes": 2**30, "planned_tokens": 500, "planned_seconds": None}
    assert run.metrics == planned | {"total_tokens": 400}


def test_a_sealed_checkpoint_counts_as_progress(job, run):
    assert job.stalls == 1
    run_child(job, run, child("""print('{"event": "checkpoint", "step": 2}')"""))
    job.refresh_from_db()
    run.refresh_from_db()
    assert (job.stalls, run.sealed_step) == (0, 2)


@pytest.mark.parametrize("code", [2, 64, 70, 71, 73])
def test_some_ends_are_final_and_speak_in_the_childs_words(job, run, code):
    event = json.dumps({"event": "failed", "reason": "nonfinite", "message": "the loss became nan"})
    with pytest.raises(Refused, match="the loss became nan"):
        run_child(job, run, child(f"print({event!r}); exit({code})"))


def test_a_transient_end_is_tried_again(job, run):
    with pytest.raises(HandBack):
        run_child(job, run, child("exit(75)"))


def test_a_killed_child_is_tried_again_and_the_reason_says_what_it_may_have_been(job, run):
    with pytest.raises(HandBack, match="signal 9, maybe out of memory"):
        run_child(job, run, child("import os; os.kill(os.getpid(), 9)"))


def test_a_crash_shows_the_end_of_the_log(job, run):
    with pytest.raises(HandBack, match=r"exit code 1(.|\n)*ZeroDivisionError"):
        run_child(job, run, child("1 / 0"))


def test_a_running_child_is_ended_when_its_run_is_cancelled(job, run):
    services.cancel_run(run=run)
    with pytest.raises(Cancelled):
        run_child(job, run, child("import time; time.sleep(600)"))


def test_an_examination_puts_every_row_into_the_database(dataset):
    run = completed(dataset, right=lambda i: i % 3 == 0)
    after = run.evaluations.current().get(stage="after")
    n = run.evalset.item_count
    assert (after.correct_count, after.scored_count, after.checkpoint_step) == (len(range(0, n, 3)), n, 4)
    assert answers_of(run, "before").filter(correct=False).count() == n
    assert run.metrics["answer_correctness"] == after.metrics["answer_correctness"]
    assert run.metrics["answer_correctness_before"] == 0
    assert run.metrics["won"] == after.correct_count
    rows = [json.loads(line) for line in (run.directory / "eval_after.jsonl").read_text().splitlines()]
    assert [row.output for row in after.predictions.all()] == [row["output"] for row in rows]


def test_a_repeated_examination_replaces_the_first_and_keeps_its_rows(dataset, monkeypatch):
    run = completed(dataset, right=lambda i: False)
    services.evaluate_run(run=run)
    write_examination(run, before=lambda i: False, after=lambda i: True)
    monkeypatch.setattr("runs.pipeline.run_child", lambda *args: None)
    work.perform(run.job.pk)
    run.refresh_from_db()
    assert run.status == "completed"
    assert run.metrics["answer_correctness"] == 1.0
    assert run.evaluations.current().count() == 2
    assert run.evaluations.filter(status=Evaluation.Status.REPLACED).count() == 2


@pytest.mark.parametrize("stage", ["queued", "running", "done at this very moment"])
def test_a_completed_run_whose_repeated_examination_is_cancelled_is_completed_still(dataset, stage):
    run = completed(dataset)
    services.evaluate_run(run=run)
    job = begin(run) if stage != "queued" else None
    services.cancel_run(run=run)
    if job:
        work.finish(job, Job.Status.CANCELLED if stage == "running" else Job.Status.DONE)
    run.refresh_from_db()
    assert (run.status, run.error, run.finished_at is None) == ("completed", "", False)
    assert run.events.last().reason == "its repeated examination was cancelled; it keeps its results"
    assert [standing.run for standing in services.leaderboard(evalset=run.evalset)] == [run]
    assert services.evaluate_run(run=run).status == "evaluating"


def test_a_cancelled_first_examination_makes_no_completed_run(run):
    end(end(run), Job.Status.CANCELLED)
    assert run.status == "cancelled"


def test_rows_of_an_attempt_that_was_cut_off_are_never_seen(dataset):
    run = completed(dataset)
    Evaluation.objects.filter(run=run, stage="after").update(status=Evaluation.Status.LOADING)
    assert answers_of(run, "after").count() == 0
    services.evaluate_run(run=run)
    job = begin(run)
    EvaluateRun().released(job, "its worker fell silent")
    verdicts.store(run)
    assert run.evaluations.filter(status=Evaluation.Status.LOADING).count() == 0
    assert run.evaluations.current().count() == 2


def test_files_about_other_items_are_not_believed(dataset, monkeypatch):
    run = completed(dataset)
    services.evaluate_run(run=run)
    summary = json.loads((run.directory / "eval.json").read_text())
    (run.directory / "eval.json").write_text(json.dumps(summary | {"evalset_sha256": "0" * 64}))
    monkeypatch.setattr("runs.pipeline.run_child", lambda *args: None)
    work.perform(run.job.pk)
    run.refresh_from_db()
    assert run.status == "evaluation_failed"
    assert "another evalset" in run.error
    assert services.evaluate_run(run=run).status == "evaluating"


def test_the_summary_of_the_losses_is_kept(run, monkeypatch):
    write_losses(run, [4.0, 1.0])
    monkeypatch.setattr("runs.pipeline.run_child", lambda *args: None)
    work.perform(run.job.pk)
    run.refresh_from_db()
    assert run.status == "evaluating"
    assert (run.metrics["final_loss"], run.metrics["total_steps"], run.metrics["total_tokens"]) == (1.0, 2, 200)


@pytest.mark.slow
def test_a_real_run_trains_is_examined_and_its_replay_is_the_same(dataset, settings):
    """The real children, from pending to completed, twice."""
    settings.RUN_DEVICE = "cpu"
    first = run = services.launch_run(dataset_key=dataset.key, config=TINY, seed=5)
    for _ in range(2):
        work.perform(run.job.pk)
        run.refresh_from_db()
        assert run.status == "evaluating", run.error
        work.perform(run.job.pk)
        run.refresh_from_db()
        assert run.status == "completed", run.error
        assert run.metrics["total_steps"] == 4
        assert answers_of(run, "after").count() == run.evalset.item_count
        record = json.loads((run.directory / "run.json").read_text())
        assert (record["run_id"], record["config_sha256"]) == (str(run.pk), run.config_sha256)
        again, run = run, services.replay_run(run=first) if run == first else run
    assert (again.replay["same"], again.replay["inputs"]) == (True, [])
    assert [stage["same"] for stage in again.replay["stages"]] == [True] * 5
    first.refresh_from_db()
    assert (first.reproduced, first.reproduced_at is None) == (1, False)
    (again.directory / "metrics.jsonl").write_text("")
    assert compare(first.directory, again.directory).first_step == 1
