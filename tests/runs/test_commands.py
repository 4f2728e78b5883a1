"""Runs from the command line."""

import json

import pytest
from django.core.management import call_command

from runs.models import Run
from runs.replay import differences
from tests.runs.making import completed, write_losses
from training.record import write_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def call(capsys):
    """Runs a command and returns its `--json` answer, or its exit code with what it said."""

    def call(*arguments: str) -> dict:
        call_command(*arguments, "--json")
        return json.loads(capsys.readouterr().out)

    return call


def test_a_run_is_launched_listed_and_cancelled(call, dataset, config_file):
    run = call("launch_run", "--dataset", dataset.key, "--config", str(config_file), "--seed", "7", "--name", "mine")
    assert (run["status"], run["seed"], run["name"]) == ("pending", 7, "mine")
    assert [listed["id"] for listed in call("list_runs")["runs"]] == [run["id"]]
    assert call("list_runs", "--status", "completed")["runs"] == []
    assert call("cancel_run", run["id"])["status"] == "cancelled"


def test_a_config_of_the_package_is_named(call, dataset):
    assert call("launch_run", "--dataset", dataset.key, "--config", "tiny")["config"]["model"]["size"] == "tiny"


def test_a_dry_run_prints_the_plan(call, dataset, config_file):
    plan = call("launch_run", "--dataset", dataset.key, "--config", str(config_file), "--dry-run")
    assert plan["updates"] == 4
    assert Run.objects.count() == 0


def test_lines_for_people(dataset, capsys):
    completed(dataset, name="the best")
    call_command("list_runs")
    assert "100.0 % right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["launch_run", "--dataset", "no-1", "--config", "tiny"], "there is no dataset 'no-1'"),
        (["launch_run", "--dataset", "chain-test", "--config", "tiny", "--seed", "-1"], "whole number"),
        (["launch_run", "--dataset", "chain-test", "--config", "tiny", "--evalset", "x"], "there is no evalset 'x'"),
        (
            ["launch_run", "--dataset", "chain-test", "--config", "tiny", "--engine", "tunix"],
            "Tunix is not installed: `make tunix`",
        ),
        (["launch_run", "--dataset", "chain-test", "--config", "no/such.yaml"], "is no file that can be read"),
        (["launch_run", "--dataset", "chain-test", "--config", "tiny", "--name", "\udcff"], "name: "),
        (["list_runs", "--limit", "-1"], "between 1 and 1000"),
        (["list_runs", "--limit", "99999999999999999999"], "between 1 and 1000"),
        (["cancel_run", "x"], "there is no run 'x'"),
        (["evaluate_run", "00000000-0000-7000-8000-000000000000"], "there is no run"),
    ],
)
def test_a_wrong_command_says_what_and_exits_1(dataset, capsys, arguments, words):
    with pytest.raises(SystemExit) as ended:
        call_command(*arguments)
    assert ended.value.code == 1
    assert words in capsys.readouterr().err


def test_a_state_that_forbids_it_exits_1(run, capsys):
    with pytest.raises(SystemExit) as ended:
        call_command("replay_run", str(run.pk))
    assert ended.value.code == 1
    assert "it cannot be replayed" in capsys.readouterr().err


def test_a_run_is_examined_again_replayed_and_compared(call, dataset):
    base = completed(dataset, seed=1, right=lambda i: False)
    other = completed(dataset, seed=2)
    assert call("compare_runs", str(base.pk), str(other.pk))["results"]["won"] == base.evalset.item_count
    assert call("replay_run", str(base.pk))["origin"] == "replay"
    assert call("evaluate_run", str(base.pk))["status"] == "evaluating"


RECORD = {
    "format_version": 1,
    "config_sha256": "c",
    "dataset_sha256": "d",
    "seed": 1,
    "code_version": "v",
    "libraries": {"jax": "1"},
    "machine": {"cores": 2},
}


def directory(run: Run, losses: list[float], params: str, *, ended: str | None = None, **record) -> Run:
    """What training leaves that a replay is held against."""
    write_losses(run, losses, elapsed_s=len(params))
    progress = run.directory / "checkpoints" / str(len(losses)) / "progress"
    progress.mkdir(parents=True)
    (progress / "metadata").write_text(json.dumps({"params_sha256": params, "ended": ended}))
    write_record(run.directory, RECORD | record)
    return run


def test_a_replay_is_held_against_losses_and_parameters_not_against_the_clock(dataset):
    base = directory(completed(dataset, seed=1), [4.0, 2.0], "a" * 64)
    same = directory(completed(dataset, seed=2), [4.0, 2.0], "a" * 64)
    assert differences(base.directory, same.directory) == []


def test_a_difference_names_the_first_step_and_the_inputs(dataset):
    base = directory(completed(dataset, seed=1), [4.0, 2.0, 1.0], "a" * 64)
    other = directory(completed(dataset, seed=2), [4.0, 2.5, 1.5], "b" * 64, libraries={"jax": "2"})
    first, second, third = differences(base.directory, other.directory)
    assert first == "The first difference is at step 2 (train): loss is 2.0 and 2.5."
    assert second.startswith("The final parameters differ")
    assert third == "They were given different inputs: libraries is {'jax': '1'} and {'jax': '2'}."


def test_of_runs_that_the_clock_ended_what_both_did_is_compared(dataset):
    clock = "The clock (training.max_seconds) decided where they end: after step 3 and 4."
    base = directory(completed(dataset, seed=1), [4.0, 2.0, 1.0], "a" * 64, ended="time")
    longer = directory(completed(dataset, seed=2), [4.0, 2.0, 1.0, 0.5], "b" * 64, ended="time", machine={"cores": 4})
    other = directory(completed(dataset, seed=3), [4.0, 2.5, 1.0, 0.5], "b" * 64)
    assert differences(base.directory, longer.directory) == [clock, "What both did is the same."]
    first = "The first difference is at step 2 (train): loss is 2.0 and 2.5."
    assert differences(base.directory, other.directory) == [clock, first]


def test_runs_that_the_clock_ended_after_the_same_step_are_compared_whole(dataset):
    base = directory(completed(dataset, seed=1), [4.0, 2.0], "a" * 64, ended="time")
    other = directory(completed(dataset, seed=2), [4.0, 2.0], "b" * 64, ended="time")
    assert differences(base.directory, other.directory) == [f"The final parameters differ: {'a' * 12} and {'b' * 12}."]


@pytest.mark.parametrize(("losses", "code"), [([4.0, 2.0], 0), ([4.0, 2.5], 3)])
def test_verifying_a_replay_exits_3_when_it_differs(dataset, monkeypatch, capsys, losses, code):
    base = directory(completed(dataset, seed=1), [4.0, 2.0], "a" * 64)
    again = directory(completed(dataset, seed=2), losses, "a" * 64)
    monkeypatch.setattr("runs.management.commands.replay_run.replay_run", lambda run: again)
    if code:
        with pytest.raises(SystemExit) as ended:
            call_command("replay_run", str(base.pk), "--verify")
        assert ended.value.code == code
        assert "step 2" in capsys.readouterr().out
    else:
        call_command("replay_run", str(base.pk), "--verify")
        assert "the same" in capsys.readouterr().out
