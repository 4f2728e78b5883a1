"""What is done with runs that are there: cancel, clone, describe, archive, purge, delete, and finding them again."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from runs import services
from runs.models import Prediction, Run
from runs.removal import empty
from runs.services import actions
from tests.factories import make_user
from tests.runs.making import TINY, begin, completed, end
from training.errors import Invalid
from tunixrt.jobs import work
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Conflict, Rule, Unavailable

pytestmark = pytest.mark.django_db


@pytest.fixture
def trained(dataset):
    return with_checkpoint(completed(dataset, name="trained", seed=1))


def with_checkpoint(run: Run) -> Run:
    """What training leaves that takes room, and what it leaves that does not."""
    step = run.directory / "checkpoints" / "4"
    step.mkdir(parents=True)
    (step / "params").write_bytes(b"x" * 5000)
    (step / "MANIFEST.json").write_text("{}")
    (run.directory / "metrics.jsonl").write_text("")
    (run.directory / "run.json").write_text("{}")
    (run.directory / "train.log").write_text("a line\n")
    return run


def reasons(run: Run) -> list[str]:
    return [event.reason for event in run.events.all()]


# --- cancel ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["queued", "training", "evaluation queued", "evaluating"])
def test_cancel_works_in_every_stage_and_twice(run, stage):
    job = None
    if stage.startswith("eval"):
        end(run)
    if stage in ("training", "evaluating"):
        job = begin(run)
    services.cancel_run(run=run)
    services.cancel_run(run=run)
    if job:  # its owner notices at the next tick
        work.finish(job, Job.Status.CANCELLED, "cancelled on request")
    services.cancel_run(run=run)
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert reasons(run).count("asked to cancel") == 1


# --- clone ----------------------------------------------------------------------------------------


def test_a_clone_is_a_new_run_of_the_same_that_tells_its_parent(trained, user):
    clone = services.clone_run(run=trained, by=user)
    same = ("name", "engine", "dataset", "evalset", "config", "config_sha256", "seed")
    assert [getattr(clone, name) for name in same] == [getattr(trained, name) for name in same]
    assert (clone.origin, clone.parent, clone.status, clone.created_by) == ("clone", trained, "pending", user)
    other = services.clone_run(run=trained, seed=9, name="nine")
    assert (other.seed, other.config["training"]["seed"], other.name) == (9, 9, "nine")


def test_a_clone_that_is_changed_wrongly_is_refused_at_its_field(trained):
    for changes, place in (({"seed": -1}, "seed"), ({"dataset_key": "no-1"}, "dataset_key"), ({"name": 5}, "name")):
        with pytest.raises(Invalid) as caught:
            services.clone_run(run=trained, **changes)
        assert caught.value.faults[0].loc == (place,)
    assert Run.objects.count() == 1


def test_the_launch_form_of_a_clone_is_filled_with_what_its_parent_was(client_in, trained):
    form = client_in.get(f"/runs/launch/?parent={trained.pk}").context["form"]
    sent = {name: form[name].value() for name in form.fields}
    sent = {name: "" if value is None else str(value) for name, value in sent.items()} | {"action": "launch"}
    client_in.post("/runs/launch/", sent)
    clone = trained.children.get()
    assert (clone.config_sha256, clone.seed, clone.origin) == (trained.config_sha256, trained.seed, "clone")
    assert client_in.get("/runs/launch/?parent=nonsense").status_code == 200


# --- every face -----------------------------------------------------------------------------------


def test_every_face_does_it_by_the_one_service(client_in, api, admin_client, dataset, capsys):
    first, second, third, fourth = (completed(dataset, seed=seed) for seed in range(4))
    client_in.post(reverse("run_archive", args=[first.pk]))
    assert api.post(f"/api/runs/{second.pk}/archive").status_code == 202
    call_command("archive_run", str(third.pk))
    admin_client.post("/admin/runs/run/", {"action": "archive", "_selected_action": [str(fourth.pk)]})
    assert "archived" in capsys.readouterr().out
    assert [reasons(run)[-1] for run in (first, second, third, fourth)] == ["archived"] * 4
    assert not Run.objects.shown().exists()


def test_commands_answer_with_the_run_that_they_concern(call, dataset):
    failed = with_checkpoint(end(services.launch_run(dataset_key=dataset.key, config=TINY), "failed", "bad"))
    for command in ("retry", "resume", "clone"):
        answer = call(f"{command}_run", str(failed.pk))
        assert (answer["origin"], answer["parent"]) == (command, str(failed.pk))
    assert call("clone_run", str(failed.pk), "--seed", "11", "--name", "n")["seed"] == 11
    assert call("note_run", str(failed.pk), "it diverged")["notes"] == "it diverged"
    assert call("tag_run", str(failed.pk), "bad")["tags"] == ["bad"]
    assert call("tag_run", str(failed.pk), "bad", "--remove")["tags"] == []
    assert call("archive_run", str(failed.pk))["archived_at"]
    assert call("unarchive_run", str(failed.pk))["archived_at"] is None


@pytest.fixture
def call(capsys):
    def call(*arguments: str) -> dict:
        call_command(*arguments, "--json")
        return json.loads(capsys.readouterr().out)

    return call


def test_a_clone_over_http(api, trained):
    answer = api.post(f"/api/runs/{trained.pk}/clone", {"seed": 3, "name": "third"}, format="json")
    assert (answer.status_code, answer.json()["origin"], answer.json()["seed"]) == (202, "clone", 3)
    assert api.post(f"/api/runs/{trained.pk}/clone").status_code == 202
    assert api.post(f"/api/runs/{trained.pk}/clone", {"lr": 3}, format="json").status_code == 422
    assert api.post(f"/api/runs/{trained.pk}/clone", [], format="json").status_code == 422


@pytest.mark.parametrize("verb", ["archive", "purge", "delete"])
def test_an_open_run_is_not_put_away(api, client_in, run, verb):
    answer = api.delete(f"/api/runs/{run.pk}") if verb == "delete" else api.post(f"/api/runs/{run.pk}/{verb}")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert client_in.post(reverse(f"run_{verb}", args=[run.pk])).status_code == 302
    run.refresh_from_db()
    assert (run.status, run.removal, run.archived_at) == ("pending", "", None)


@pytest.mark.parametrize("verb", ["clone", "archive", "unarchive", "purge", "removal"])
def test_nobody_does_it_without_a_login(client, run, verb):
    assert client.post(f"/api/runs/{run.pk}/{verb}").status_code == 401
    assert client.patch(f"/api/runs/{run.pk}").status_code == client.delete(f"/api/runs/{run.pk}").status_code == 401
    assert (
        client.post(f"/runs/{run.pk}/describe/").status_code == client.get(f"/runs/{run.pk}/delete/").status_code == 302
    )


def test_the_admin_puts_away_only_for_those_who_may_delete_runs(client, trained):
    person = make_user("looker", is_staff=True)
    person.user_permissions.set(person.user_permissions.model.objects.filter(codename="view_run"))
    client.force_login(person)
    for action in ("purge", "delete", "archive"):
        client.post("/admin/runs/run/", {"action": action, "_selected_action": [str(trained.pk)], "confirmed": "yes"})
    trained.refresh_from_db()
    assert (trained.purged_at, trained.archived_at, trained.has_checkpoint) == (None, None, True)


def test_the_admin_shows_what_goes_before_it_goes(admin_client, trained):
    chosen = {"action": "purge", "_selected_action": [str(trained.pk)]}
    assert "4.9\xa0KB" in admin_client.post("/admin/runs/run/", chosen).content.decode()
    assert trained.has_checkpoint
    admin_client.post("/admin/runs/run/", chosen | {"confirmed": "yes"})
    assert not trained.has_checkpoint


# --- name, notes, tags ----------------------------------------------------------------------------


def test_name_notes_and_tags_are_changed_and_each_change_is_an_event(api, run, user):
    answer = api.patch(
        f"/api/runs/{run.pk}", {"name": " better ", "notes": "a\r\nb ", "tags": ["b", "a", " a "]}, format="json"
    ).json()
    assert (answer["name"], answer["notes"], answer["tags"]) == ("better", "a\nb", ["a", "b"])
    api.patch(f"/api/runs/{run.pk}", {"tags": ["a", "c"]}, format="json")
    run.refresh_from_db()
    assert (run.notes, run.noted_by, run.tag_names) == ("a\nb", user, ["a", "c"])
    said = ["renamed from small", "notes changed", "tagged a, b", "tagged c", "no longer tagged b"]
    assert reasons(run)[1:] == said
    api.patch(f"/api/runs/{run.pk}", {"name": "better", "tags": ["c", "a"]}, format="json")
    assert reasons(run)[1:] == said  # nothing changed


WRONG = {
    "notes too long": ({"notes": "x" * 10_001}, "notes"),
    "NUL in notes": ({"notes": "a\0b"}, "notes"),
    "notes as number": ({"notes": 5}, "notes"),
    "an empty name": ({"name": "  "}, "name"),
    "an empty tag": ({"tags": [""]}, "tags"),
    "a long tag": ({"tags": ["x" * 101]}, "tags"),
    "NUL in a tag": ({"tags": ["a\0b"]}, "tags"),
    "a number as tag": ({"tags": [5]}, "tags"),
    "a text as tags": ({"tags": "abc"}, "tags"),
    "a status": ({"status": "completed"}, "status"),
}


@pytest.mark.parametrize(("change", "place"), WRONG.values(), ids=WRONG)
def test_a_wrong_description_names_the_place_and_changes_nothing(api, run, change, place):
    answer = api.patch(f"/api/runs/{run.pk}", {"name": "new"} | change, format="json")
    assert (answer.status_code, answer.json()["errors"][0]["loc"][0]) == (422, place)
    run.refresh_from_db()
    assert (run.name, run.notes, run.tag_names) == ("small", "", [])


def test_tags_of_two_people_at_once_both_stay(run):
    services.tag_run(run=run, tag="first")
    one, other = (Run.objects.with_tags().get() for _ in range(2))
    services.tag_run(run=one, tag="paper")
    services.tag_run(run=other, tag="baseline")
    services.untag_run(run=one, tag="first")
    assert Run.objects.get().tag_names == ["baseline", "paper"]


def test_a_run_has_fifty_tags_at_most(run):
    services.describe_run(run=run, tags=[str(i) for i in range(50)])
    with pytest.raises(Rule, match="at most 50"):
        services.tag_run(run=run, tag="one more")


def test_the_page_keeps_notes_and_tags_and_shows_them_as_text(client_in, run):
    address = reverse("run_describe", args=[run.pk])
    client_in.post(address, {"name": "renamed", "notes": "<script>alert(1)</script>"})
    client_in.post(address, {"tag": "<b>&"})
    text = client_in.get(reverse("run_detail", args=[run.pk])).content.decode()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert "&lt;b&gt;&amp;" in text
    client_in.post(address, {"untag": "<b>&"})
    assert "10,000" in client_in.post(address, {"notes": "x" * 10_001}, follow=True).content.decode()
    run.refresh_from_db()
    assert (run.name, run.tag_names) == ("renamed", [])


# --- finding them again ---------------------------------------------------------------------------


def test_an_archived_run_is_left_out_until_it_is_asked_for(client_in, api, call, dataset):
    old, new = (completed(dataset, seed=seed, name=f"run {seed}") for seed in (1, 2))
    services.archive_run(run=old)
    services.archive_run(run=old)
    assert [row["id"] for row in api.get("/api/runs").json()["data"]] == [str(new.pk)]
    assert [row["id"] for row in api.get("/api/runs?archived=true").json()["data"]] == [str(old.pk)]
    assert len(api.get("/api/runs?archived=all").json()["data"]) == 2
    assert [row["id"] for row in call("list_runs", "--archived", "true")["runs"]] == [str(old.pk)]
    assert [standing.run for standing in services.leaderboard(evalset=new.evalset)] == [new]
    for name in ("run_list", "leaderboard", "run_compare", "home"):
        text = client_in.get(reverse(name)).content.decode()
        assert "run 2" in text
        assert "run 1" not in text
    services.unarchive_run(run=old)
    assert len(api.get("/api/runs").json()["data"]) == 2
    assert reasons(old)[-2:] == ["archived", "taken back from the archive"]


def test_runs_are_found_by_name_id_tag_and_dataset(client_in, api, call, dataset):
    one, _ = (services.launch_run(dataset_key=dataset.key, config=TINY, name=f"Deep {n}") for n in ("sea", "sky"))
    services.tag_run(run=one, tag="paper")
    queries = ["q=dEEp s", f"q={one.pk}", f"q={str(one.pk)[-8:]}", "tag=paper", "tag=pap", "dataset_key=chain-test"]
    found = {
        query: {row["name"] for row in api.get("/api/runs", dict([query.split("=")])).json()["data"]}
        for query in [*queries, "q=%", "q=_", "q=☃"]
    }
    sea, both = {"Deep sea"}, {"Deep sea", "Deep sky"}
    assert list(found.values()) == [both, sea, sea, sea, set(), both, set(), set(), set()]
    assert [row["name"] for row in call("list_runs", "--q", "sky", "--dataset", "chain-test")["runs"]] == ["Deep sky"]
    assert "Deep sky" not in client_in.get("/runs/?q=sea").content.decode()
    assert "must be one of" in client_in.get("/runs/?status=bogus").content.decode()
    assert client_in.get("/runs/?q=%00").status_code == 200
    assert api.get("/api/runs?archived=maybe").status_code == 422


def test_no_name_reaches_a_terminal_as_a_command_to_it(run, capsys):
    services.describe_run(run=run, name="\x1b[31mred\x07 \u202eeman \x9b2J")
    call_command("list_runs")
    with pytest.raises(SystemExit):
        call_command("rescore_run", str(run.pk))
    shown = capsys.readouterr()
    for text in shown:
        assert r"\x1b[31mred\x07 \u202eeman \x9b2J" in text
        assert not set(text) & set("\x1b\x07\u202e\x9b")


# --- purge and delete -----------------------------------------------------------------------------


def test_a_purge_takes_the_checkpoints_and_leaves_record_metrics_and_answers(trained, user):
    preview = services.preview_removal(run=trained, removal="purge")
    assert (preview.size.files, preview.size.bytes, preview.predictions, preview.held_by) == (2, 5002, 0, [])
    run = services.purge_run(run=trained, by=user)
    assert run.purged_at
    assert (run.removal, run.status) == ("", "completed")
    assert not (run.directory / "checkpoints").exists()
    assert (run.directory / "train.log").exists()
    assert Prediction.objects.filter(evaluation__run=run).exists()
    assert not (run.directory.parent.parent / "trash").exists()
    at = run.purged_at
    assert services.purge_run(run=run).purged_at == at  # harmless the second time
    assert reasons(run)[-1] == "to be purged"


@pytest.mark.parametrize("service", [services.evaluate_run, services.replay_run, services.resume_run])
def test_what_needs_checkpoints_is_refused_after_a_purge(run, trained, service):
    if service == services.resume_run:
        trained = with_checkpoint(end(run, "failed", "bad"))
    services.purge_run(run=trained)
    with pytest.raises(Conflict, match=r"was purged on \d{4}-\d\d-\d\d: its checkpoints are gone"):
        service(run=trained)
    assert services.clone_run(run=trained).status == "pending"


def test_an_examination_is_refused_when_a_purge_was_a_moment_quicker(trained, monkeypatch):
    lock = actions.lock_kept
    monkeypatch.setattr(actions, "lock_kept", lambda run: services.purge_run(run=run) and lock(run))
    with pytest.raises(Conflict, match="its checkpoints are gone"):
        services.evaluate_run(run=Run.objects.get(pk=trained.pk))
    assert Run.objects.get(pk=trained.pk).status == "completed"


@pytest.mark.django_db(transaction=True)
def test_whatever_is_asked_of_a_run_at_the_same_moment_is_done_or_refused(dataset):
    """Never in a circle of locks. SQLite in memory takes one connection, so there one asks after the other."""
    run = with_checkpoint(completed(dataset, seed=1))
    asked = (services.rescore_run, services.set_baseline, services.purge_run, services.evaluate_run) * 5

    def once(service) -> str:
        try:
            service(run=Run.objects.with_dataset().get(pk=run.pk))
            return "done"
        except Conflict:
            return "refused"
        finally:
            if several > 1:
                connection.close()

    several = 4 if connection.vendor == "postgresql" else 1
    with ThreadPoolExecutor(several) as pool:
        said = list(pool.map(once, asked) if several > 1 else map(once, asked))
    assert "done" in said
    assert Job.objects.filter(target=run.pk, status__in=Job.OPEN).count() <= 1
    run.refresh_from_db()
    assert not (run.is_open and run.purged_at)


def test_a_purged_run_says_so_on_its_page(client_in, trained):
    assert "4.9\xa0KB" in client_in.get(reverse("run_purge", args=[trained.pk])).content.decode()
    text = client_in.post(reverse("run_purge", args=[trained.pk]), follow=True).content.decode()
    assert "its checkpoints are gone" in text
    assert "Examine again" not in text
    assert "Purge…" not in text


def test_checkpoints_that_an_open_run_needs_are_not_purged(trained):
    replay = services.replay_run(run=trained)
    with pytest.raises(Conflict, match=f"needed by trained \\({replay.pk}, pending\\)"):
        services.purge_run(run=trained)
    services.cancel_run(run=replay)
    services.purge_run(run=trained)


def test_a_parent_is_not_deleted_before_its_children(trained):
    clone = services.clone_run(run=trained)
    with pytest.raises(Conflict, match=f"it is the parent of trained \\({clone.pk}"):
        services.delete_run(run=trained)
    services.cancel_run(run=clone)
    services.delete_run(run=clone)
    services.delete_run(run=trained)
    assert not Run.objects.exists()


def test_a_deleted_run_leaves_nothing(api, trained):
    preview = {row["removal"]: row for row in api.get(f"/api/runs/{trained.pk}/removal").json()["data"]}
    assert preview["delete"]["predictions"] == Prediction.objects.count() > 0
    assert preview["delete"]["bytes"] > preview["purge"]["bytes"] == 5002
    directory = trained.directory
    assert api.delete(f"/api/runs/{trained.pk}").status_code == 204
    assert not directory.exists()
    assert not Prediction.objects.exists()
    assert api.get(f"/api/runs/{trained.pk}").status_code == 404
    assert api.delete(f"/api/runs/{trained.pk}").status_code == 404


def test_the_page_of_a_deletion_asks_first(client_in, trained):
    address = reverse("run_delete", args=[trained.pk])
    assert "cannot be brought back" in client_in.get(address).content.decode()
    assert Run.objects.exists()
    assert client_in.post(address).url == reverse("run_list")
    assert not Run.objects.exists()


@pytest.mark.parametrize("removal", ["purge", "delete"])
@pytest.mark.parametrize("cut", ["before the rename", "while it is removed"])
def test_a_removal_that_was_cut_off_is_finished_by_the_sweeper(trained, monkeypatch, cut, removal, rung):
    service = {"purge": services.purge_run, "delete": services.delete_run}[removal]
    place = {"before the rename": "pathlib.Path.rename", "while it is removed": "pathlib.Path.rmdir"}[cut]

    def killed(*_):
        raise KeyboardInterrupt  # as a kill: nothing of ours runs after it

    with monkeypatch.context() as patch:
        patch.setattr(place, killed)
        with pytest.raises(KeyboardInterrupt):
            service(run=trained)
    trained.refresh_from_db()
    job = trained.job
    assert (trained.removal, job.status) == (removal, "running")
    with pytest.raises(Conflict):
        services.evaluate_run(run=trained)
    work.give_back(job, "its worker fell silent")
    work.perform(job.pk)
    assert Run.objects.filter(removal="").exists() == (removal == "purge")
    assert not (trained.directory / "checkpoints").exists()
    assert not (trained.directory.parent.parent / "trash").exists()


@pytest.mark.parametrize("removal", ["purge", "delete"])
def test_a_removal_that_a_worker_is_at_is_not_called_done(client_in, api, call, trained, monkeypatch, removal):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.rename", killed)
        with pytest.raises(KeyboardInterrupt):
            services.purge_run(run=trained) if removal == "purge" else services.delete_run(run=trained)
    page = client_in.post(reverse(f"run_{removal}", args=[trained.pk]), follow=True).content.decode()
    assert f"is being {removal}d: a worker goes on with it" in page
    address = f"/api/runs/{trained.pk}"
    answer = api.post(f"{address}/purge") if removal == "purge" else api.delete(address)
    assert (answer.status_code, answer.json()["id"]) == (202, str(trained.pk))
    told = call(f"{removal}_run", str(trained.pk), "--yes")
    assert (told["done"], told["going"]) == (False, True)
    if removal == "purge":
        (_, refused), *_ = services.purge_runs(runs=[trained])
        assert "a worker goes on with it" in refused
    work.give_back(trained.job, "its worker fell silent")
    work.perform(trained.job.pk)
    assert Run.objects.filter(removal="").exists() == (removal == "purge")


def test_two_workers_at_one_removal_give_signs_of_life_and_do_not_fail(tmp_path):
    ticks = []

    class Other:
        """Whose signs of life are moments at which another worker removes the same."""

        def tick(self) -> None:
            ticks.append(1)
            if len(ticks) == 3:
                shutil.rmtree(tmp_path / "doomed")

    for name in "abcdef":
        (tmp_path / "doomed" / "4" / name).mkdir(parents=True)
        (tmp_path / "doomed" / "4" / name / "file").write_text("")
    empty(tmp_path / "doomed", Other())
    assert not (tmp_path / "doomed").exists()
    assert len(ticks) >= 3


def test_a_removal_that_fails_says_why_and_goes_on_when_asked_again(trained, monkeypatch):
    def refuses(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.rmdir", refuses)
        with pytest.raises(Unavailable, match="Permission denied"):
            services.delete_run(run=trained)
    trained.refresh_from_db()
    assert trained.removal == "delete"
    with pytest.raises(Conflict, match="being deleted"):
        services.clone_run(run=trained)
    services.delete_run(run=trained)
    assert not Run.objects.exists()


def test_a_removal_follows_no_link(trained, tmp_path):
    kept = tmp_path / "kept"
    (kept / "inner").mkdir(parents=True)
    (kept / "inner" / "file").write_text("mine")
    os.symlink(kept, trained.directory / "linked", target_is_directory=True)
    os.symlink(kept, trained.directory / "checkpoints" / "5", target_is_directory=True)
    os.symlink(kept / "inner" / "file", trained.directory / "checkpoints" / "4" / "link")
    assert services.preview_removal(run=trained, removal="delete").size.bytes < 50_000
    services.purge_run(run=trained)
    services.delete_run(run=trained)
    assert (kept / "inner" / "file").read_text() == "mine"


def test_a_run_whose_directory_is_a_link_loses_the_link_only(trained, tmp_path):
    kept = tmp_path / "kept"
    trained.directory.rename(kept)
    trained.directory.symlink_to(kept, target_is_directory=True)
    services.delete_run(run=trained)
    assert (kept / "train.log").exists()
    assert not trained.directory.is_symlink()


# --- retention ------------------------------------------------------------------------------------


def test_old_runs_are_purged_by_one_command_that_shows_first(call, trained, dataset, run):
    kept = with_checkpoint(completed(dataset, seed=2, name="kept"))
    services.tag_run(run=kept, tag="paper")
    assert call("purge_runs", "--older-than", "1")["runs"] == []
    shown = call("purge_runs", "--older-than", "0", "--keep-tag", "paper", "--status", "completed")
    assert [row["name"] for row in shown["runs"]] == ["trained"]
    assert (shown["bytes"], shown["done"], trained.has_checkpoint) == (5002, False, True)
    assert call("purge_runs", "--older-than", "0", "--keep-tag", "paper", "--yes")["bytes"] == 5002
    assert (trained.has_checkpoint, kept.has_checkpoint) == (False, True)
    assert call("purge_runs", "--older-than", "0", "--keep-tag", "paper")["runs"] == []


def test_the_table_for_people_names_what_is_held(capsys, trained):
    services.replay_run(run=trained)
    call_command("purge_runs", "--older-than", "0", "--yes")
    printed = capsys.readouterr().out
    assert "held by trained" in printed
    assert trained.has_checkpoint
    call_command("delete_run", str(services.clone_run(run=trained).parent_id))
    assert "Nothing was removed" in capsys.readouterr().out


def test_sizes_are_told_by_what_the_files_are_for(api, client_in, trained):
    answer = api.get(f"/api/runs/{trained.pk}/artifacts").json()
    assert answer["kinds"]["checkpoints"] == {"files": 2, "bytes": 5002}
    assert set(answer["kinds"]) == {"checkpoints", "metrics", "evaluation", "logs", "record"}
    assert answer["bytes"] == sum(row["size"] for row in answer["data"])
    text = client_in.get(reverse("run_detail", args=[trained.pk])).content.decode()
    assert "<b>checkpoints</b> 4.9\xa0KB" in text


def test_the_list_with_tags_costs_the_same_however_many_rows(client_in, dataset, django_assert_max_num_queries):
    for seed in range(4):
        run = services.launch_run(dataset_key=dataset.key, config=TINY, seed=seed)
        services.describe_run(run=run, tags=["a", str(seed)])
    with django_assert_max_num_queries(7):
        assert client_in.get("/runs/?q=chain&tag=a").context["window"].rows
