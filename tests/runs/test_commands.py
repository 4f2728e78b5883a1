"""Runs from the command line."""

import json
from contextlib import nullcontext

import pytest
from django.core.management import call_command

from runs.models import Run
from runs.services import replay_run
from tests.runs.making import completed, end
from tunixrt.jobs.models import Job

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


@pytest.mark.parametrize(("same", "code"), [(True, 0), (False, 3)])
def test_verifying_a_replay_prints_the_answer_and_exits_3_when_it_differs(dataset, monkeypatch, capsys, same, code):
    base, again = completed(dataset), completed(dataset)
    answer = {"same": same, "headline": "In a sentence.", "sentences": ["One difference."]}
    again.replay = answer
    monkeypatch.setattr("runs.management.commands.replay_run.replay_run", lambda run: again)
    for arguments in ([], ["--json"]):
        with pytest.raises(SystemExit) if code else nullcontext() as ended:
            call_command("replay_run", str(base.pk), "--verify", *arguments)
        assert not code or ended.value.code == code
    *lines, shown = capsys.readouterr().out.splitlines()
    assert json.loads(shown)["replay"] == answer
    assert lines == ["In a sentence.", "One difference."]


def test_a_replay_that_was_never_trained_cannot_be_verified(dataset, monkeypatch, capsys):
    base = completed(dataset)
    again = end(replay_run(run=base), Job.Status.FAILED, "the dataset changed")
    monkeypatch.setattr("runs.management.commands.replay_run.replay_run", lambda run: again)
    with pytest.raises(SystemExit) as ended:
        call_command("replay_run", str(base.pk), "--verify")
    assert ended.value.code == 1
    assert "training failed: the dataset changed" in capsys.readouterr().err
