"""Launching, and everything that can be done with a run."""

import json
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from datasets_app.models import Dataset, EvalSet
from datasets_app.services import evalset_from_split
from runs import services
from runs.models import Run
from tests.runs.making import TINY, begin, completed, end
from training.config import MAX_SEED
from training.engine.model import init_params
from training.engine.weights import save_published
from training.errors import Invalid
from training.shapes import model_shape
from training.tokenizer import Tokenizer
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Conflict, Rule, Unavailable

pytestmark = pytest.mark.django_db


def test_a_launch_writes_run_event_and_work_and_rings(dataset, user, rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        run = services.launch_run(dataset_key=dataset.key, config=TINY, seed=5, name="mine", by=user)
    assert (run.status, run.seed, run.name, run.created_by) == ("pending", 5, "mine", user)
    assert run.config["data"]["recipe"] == dataset.recipe  # resolved: nothing is left to defaults that may change
    assert run.config["training"]["seed"] == 5
    assert run.evalset.split == "test"
    event = run.events.get()
    assert (event.from_status, event.to_status, event.created_by) == ("", "pending", user)
    job = Job.objects.get(target=run.pk)
    assert (job.kind, job.queue, job.status) == ("train_run", "runs", "queued")
    assert rung == [job]
    assert not run.directory.exists()


def test_a_seed_that_nobody_gave_is_drawn_and_recorded(dataset):
    seeds = {services.launch_run(dataset_key=dataset.key, config_name="tiny").seed for _ in range(3)}
    assert len(seeds) == 3
    run = Run.objects.first()
    assert run.seed == run.config["training"]["seed"]


def test_a_dataset_is_found_by_exactly_its_key_as_its_page_is(dataset):
    with pytest.raises(Invalid, match="there is no dataset"):
        services.launch_run(dataset_key=dataset.key.upper(), config_name="tiny")


def test_a_plan_stores_nothing(dataset):
    plan = services.plan_run(dataset_key=dataset.key, config=TINY)
    assert plan.updates == 4
    assert sum(plan.rows.values()) == 60
    assert Run.objects.count() == Job.objects.filter(kind="train_run").count() == EvalSet.objects.count() == 0


def test_a_plan_of_rows_that_do_not_fit_names_the_field_of_the_config(dataset):
    with pytest.raises(Invalid) as caught:
        services.plan_run(dataset_key=dataset.key, config=TINY | {"data": {"max_length": 8}})
    assert caught.value.faults[0].loc == ("config", "data", "max_length")


def test_a_plan_on_rows_that_are_gone_says_how_to_get_them_back(dataset):
    dataset.rows_path.chmod(0o644)
    dataset.rows_path.unlink()
    with pytest.raises(Unavailable, match="restore_dataset"):
        services.plan_run(dataset_key=dataset.key, config=TINY)


def test_a_name_that_nobody_gave_is_no_longer_than_a_name_may_be(dataset):
    evalset = evalset_from_split(dataset=dataset, split="test")
    dataset.key = "k" * 127 + "-" + "v" * 64
    dataset.save()
    run = services.launch_run(dataset_key=dataset.key, config_name="demo_chain", evalset=evalset)
    assert len(run.name) == 200


def test_a_run_that_does_not_fit_the_machine_is_refused_with_what_it_needs(dataset, settings):
    settings.RUN_MEMORY_BYTES, settings.RUN_DEVICE = 2**30, "cpu"
    config = TINY | {"model": {"size": "medium"}}
    for service in (services.launch_run, services.plan_run):
        with pytest.raises(Invalid, match=r"^config\.model: needs about 1\.\d GiB .* this machine has 1\.0 GiB"):
            service(dataset_key=dataset.key, config=config)
    assert services.launch_run(dataset_key=dataset.key, config=TINY).status == "pending"
    settings.RUN_DEVICE = "gpu"  # whose memory is not the machine's
    assert services.launch_run(dataset_key=dataset.key, config=config).status == "pending"


def test_the_memory_of_the_machine_judges_no_run_that_may_find_a_gpu(dataset, settings, monkeypatch):
    settings.RUN_MEMORY_BYTES, settings.RUN_DEVICE = 2**20, "auto"
    monkeypatch.setattr(services.launching, "may_use_accelerator", lambda python: python == Path(sys.executable))
    assert services.launch_run(dataset_key=dataset.key, config=TINY).status == "pending"
    monkeypatch.setattr(services.launching, "may_use_accelerator", lambda python: False)
    with pytest.raises(Invalid, match="this machine has"):
        services.launch_run(dataset_key=dataset.key, config=TINY)


def test_a_run_of_tunix_is_judged_by_the_whole_update_that_it_computes_at_once(dataset, settings, tunix):
    settings.RUN_MEMORY_BYTES, settings.RUN_DEVICE = 2**30, "cpu"
    config = changed("training", batch_size=64)
    assert services.plan_run(dataset_key=dataset.key, config=config).memory_bytes < 2**30
    with pytest.raises(Invalid, match=r"config\.model: needs about .*activations"):
        services.plan_run(dataset_key=dataset.key, config=config, engine="tunix")


def test_weights_with_a_vocabulary_smaller_than_the_usual_are_trained_on(dataset, home, monkeypatch):
    monkeypatch.setenv("TUNIXRT_HOME", str(home))
    shape, tokenizer = model_shape("tiny", 400), Tokenizer.train(["some text"], 300)
    save_published(home / "weights" / "mine", init_params(shape, 0), shape, tokenizer)
    config = {name: part for name, part in TINY.items() if name != "tokenizer"} | {"model": {"weights": "mine"}}
    assert services.launch_run(dataset_key=dataset.key, config=config).status == "pending"


def changed(section: str, **fields) -> dict:
    return TINY | {section: TINY.get(section, {}) | fields}


BAD = {
    "learning rate 0": ({"config": changed("training", learning_rate=0)}, "config.training.learning_rate"),
    "learning rate -1": ({"config": changed("training", learning_rate=-1)}, "config.training.learning_rate"),
    "learning rate 1e9": ({"config": changed("training", learning_rate=1e9)}, "config.training.learning_rate"),
    "learning rate NaN": ({"config": changed("training", learning_rate=float("nan"))}, "config.training.learning_rate"),
    "learning rate text": ({"config": changed("training", learning_rate="1e-3")}, "config.training.learning_rate"),
    "batch 0": ({"config": changed("training", batch_size=0)}, "config.training.batch_size"),
    "batch 10**9": ({"config": changed("training", batch_size=10**9)}, "config.training.batch_size"),
    "batch 2.0": ({"config": changed("training", batch_size=2.0)}, "config.training.batch_size"),
    "batch ' 7 '": ({"config": changed("training", batch_size=" 7 ")}, "config.training.batch_size"),
    "steps 0": ({"config": changed("training", steps=0)}, "config.training.steps"),
    "steps 10**12": ({"config": changed("training", steps=10**12)}, "config.training.steps"),
    "steps true": ({"config": changed("training", steps=True)}, "config.training.steps"),
    "unknown model": ({"config": changed("model", size="huge")}, "config.model.size"),
    "unknown recipe": ({"config": changed("data", recipe="x")}, "config.data.recipe"),
    "unknown option": ({"config": changed("training", lr=1)}, "config.training.lr"),
    "unknown section": ({"config": TINY | {"mess": {}}}, "config.mess"),
    "a file as evalset": ({"config": changed("eval", evalset="/etc/hosts")}, "config.eval.evalset"),
    "a list as config": ({"config": []}, "config"),
    "no config": ({}, "config"),
    "config twice": ({"config": TINY, "config_name": "tiny"}, "config"),
    "unknown config": ({"config_name": "../tiny"}, "config_name"),
    "a number as config name": ({"config_name": 5}, "config_name"),
    "unknown dataset": ({"config": TINY, "dataset_key": "no-1"}, "dataset_key"),
    "a path as dataset": ({"config": TINY, "dataset_key": "../../etc/passwd"}, "dataset_key"),
    "NUL in the dataset": ({"config": TINY, "dataset_key": "chain\0-test"}, "dataset_key"),
    "a list as dataset": ({"config": TINY, "dataset_key": ["chain-test"]}, "dataset_key"),
    "seed -1": ({"config": TINY, "seed": -1}, "seed"),
    "seed 2**64": ({"config": TINY, "seed": 2**64}, "seed"),
    "seed true": ({"config": TINY, "seed": True}, "seed"),
    "seed as text": ({"config": TINY, "seed": "5"}, "seed"),
    "unknown engine": ({"config": TINY, "engine": "torch"}, "engine"),
    "a huge update": (
        {"config": changed("training", steps=1, batch_size=4096, gradient_accumulation=4096)},
        "config.model",
    ),
    "a very long option": ({"config": changed("training", **{"x" * 5000 + "\x1b": 1})}, None),
    "a long name": ({"config": TINY, "name": "x" * 201}, "name"),
    "NUL in the name": ({"config": TINY, "name": "a\0b"}, "name"),
}


@pytest.mark.parametrize(("wrong", "place"), BAD.values(), ids=BAD)
def test_a_wrong_launch_names_the_place_and_leaves_nothing(wrong, place, dataset, home):
    with pytest.raises(Invalid) as caught:
        services.launch_run(**{"dataset_key": dataset.key, **wrong})
    found = ".".join(map(str, caught.value.faults[0].loc))
    assert found == place if place else len(found) < 200 and found.isprintable()
    assert Run.objects.count() == 0
    assert not (home / "artifacts").exists()


def test_the_largest_seed_is_kept_as_it_is(dataset):
    run = services.launch_run(dataset_key=dataset.key, config=TINY, seed=MAX_SEED)
    assert Run.objects.get(pk=run.pk).seed == MAX_SEED


def test_a_dataset_that_is_not_frozen_cannot_be_taught(dataset):
    Dataset.objects.update(status="building")
    with pytest.raises(Conflict, match="not frozen"):
        services.launch_run(dataset_key=dataset.key, config=TINY)


def test_an_engine_that_is_not_installed_says_how_to_install_it(dataset):
    with pytest.raises(Unavailable, match="make tunix"):
        services.launch_run(dataset_key=dataset.key, config=TINY, engine="tunix")
    assert Run.objects.count() == 0


def test_the_engine_is_stored_and_the_next_run_of_it_has_it_too(dataset, tunix):
    run = services.launch_run(dataset_key=dataset.key, config=TINY, engine="tunix")
    assert Run.objects.get(pk=run.pk).engine == "tunix"
    assert services.retry_run(run=end(run, Job.Status.FAILED, "no luck")).engine == "tunix"


def test_a_run_of_an_engine_that_is_gone_is_not_begun_again(dataset, tunix):
    failed = end(services.launch_run(dataset_key=dataset.key, config=TINY, engine="tunix"), Job.Status.FAILED, "bad")
    trained = completed(dataset, engine="tunix")
    tunix.unlink()
    for service, run in ((services.retry_run, failed), (services.replay_run, trained)):
        with pytest.raises(Unavailable, match="make tunix"):
            service(run=run)
    foreign = completed(dataset)
    foreign.config["model"] |= {"family": "qwen3", "weights": "w"}
    with pytest.raises(Unavailable, match="make tunix"):
        services.evaluate_run(run=foreign)
    assert services.evaluate_run(run=trained).status == "evaluating"  # our own engine examines this family


def test_what_the_engine_cannot_do_is_refused_with_its_path(dataset, tunix):
    wrong = TINY | {"training": {"steps": 1, "dtype": "bfloat16"}}
    with pytest.raises(Invalid, match="dtype: the engine tunix computes in float32"):
        services.launch_run(dataset_key=dataset.key, config=wrong, engine="tunix")
    family = TINY | {"model": {"family": "llama3", "weights": "w"}}
    with pytest.raises(Invalid, match="family: llama3 is computed by the engine tunix only"):
        services.launch_run(dataset_key=dataset.key, config=family)


def test_weights_that_are_not_installed_are_refused_at_their_field(dataset):
    named = TINY | {"model": {"weights": "gemma-3-270m"}}
    with pytest.raises(Invalid, match="there are no weights 'gemma-3-270m'") as caught:
        services.launch_run(dataset_key=dataset.key, config=named)
    assert caught.value.faults[0].loc == ("config", "model", "weights")


def test_an_evalset_can_be_named(dataset):
    first = services.launch_run(dataset_key=dataset.key, config=TINY)
    assert services.launch_run(dataset_key=dataset.key, config=TINY, evalset=first.evalset).evalset == first.evalset


def test_every_face_launches_through_the_one_service(dataset, client, api, admin_client, user, config_file):
    client.force_login(user)
    common = {"seed": "3", "nonce": "n1", "config_name": "tiny", "config": json.dumps(TINY)}
    client.post("/runs/launch/", {**common, "dataset": dataset.key, "action": "launch", "name": "page"})
    body = {"dataset_key": dataset.key, "config": TINY, "seed": 3, "name": "api"}
    api.post("/api/runs", body, format="json")
    call_command(
        "launch_run", "--dataset", dataset.key, "--config", str(config_file), "--seed", "3", "--name", "command"
    )
    admin_client.post("/admin/runs/run/add/", {**common, "nonce": "n2", "dataset": dataset.key, "name": "admin"})
    runs = list(Run.objects.order_by("id"))
    assert [run.name for run in runs] == ["page", "api", "command", "admin"]
    assert len({(run.config_sha256, run.seed, run.evalset_id, run.status) for run in runs}) == 1
    assert [run.events.count() for run in runs] == [1, 1, 1, 1]
    assert Job.objects.filter(kind="train_run", status="queued").count() == 4


def test_a_waiting_run_is_cancelled_at_once(run, user):
    services.cancel_run(run=run, by=user)
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert run.job.status == "cancelled"
    assert [(event.to_status, event.created_by) for event in run.events.all()][1:] == [
        ("pending", user),
        ("cancelled", None),
    ]


def test_a_running_run_is_asked_to_stop_once(run, user):
    begin(run)
    services.cancel_run(run=run, by=user)
    services.cancel_run(run=run, by=user)
    run.refresh_from_db()
    assert run.status == "training"
    assert run.job.cancel_requested
    assert run.events.filter(reason="asked to cancel").count() == 1


def test_a_closed_run_cannot_be_cancelled(dataset):
    with pytest.raises(Conflict, match="completed"):
        services.cancel_run(run=completed(dataset))


def test_a_failed_run_is_retried_as_a_new_one(run, user):
    end(run, Job.Status.FAILED, "the loss became nan")
    again = services.retry_run(run=run, by=user)
    assert again.pk != run.pk
    assert (again.parent, again.origin, again.seed, again.config) == (run, "retry", run.seed, run.config)
    assert (again.status, again.job.kind) == ("pending", "train_run")


@pytest.mark.parametrize(
    "service", [services.retry_run, services.resume_run, services.replay_run, services.evaluate_run]
)
def test_an_open_run_is_not_done_again(run, service):
    with pytest.raises(Conflict, match="pending"):
        service(run=run)
    assert Run.objects.count() == 1


def test_a_run_is_resumed_only_from_a_sealed_checkpoint(run):
    end(run, Job.Status.CANCELLED)
    with pytest.raises(Conflict, match="no checkpoint"):
        services.resume_run(run=run)
    step = run.directory / "checkpoints" / "2"
    step.mkdir(parents=True)
    (step / "MANIFEST.json").write_text("{}")
    assert services.resume_run(run=run).origin == "resume"


def test_a_completed_run_is_replayed_and_not_retried(dataset):
    run = completed(dataset)
    with pytest.raises(Conflict, match="replayed"):
        services.retry_run(run=run)
    assert services.replay_run(run=run).origin == "replay"


def test_an_examination_is_repeated_as_a_logged_reset(dataset, user):
    run = completed(dataset)
    services.evaluate_run(run=run, by=user)
    run.refresh_from_db()
    assert (run.status, run.finished_at, run.job.kind) == ("evaluating", None, "evaluate_run")
    event = run.events.last()
    assert (event.from_status, event.to_status, event.created_by) == ("completed", "evaluating", user)
    with pytest.raises(Conflict):
        services.evaluate_run(run=run, by=user)


def test_two_runs_are_compared_item_by_item(dataset):
    base = completed(dataset, right=lambda i: i % 2 == 0, seed=1)
    other = completed(dataset, right=lambda i: i != 0, seed=2)
    found = services.compare_runs(base=base, other=other)
    n = base.evalset.item_count
    assert (found.results.won, found.results.lost) == (n // 2, 1)
    assert found.config == [("training.seed", 1, 2)]


def test_runs_without_results_or_with_other_items_do_not_compare(dataset, run):
    done = completed(dataset)
    with pytest.raises(Conflict, match="no results"):
        services.compare_runs(base=done, other=run)
    other = completed(dataset, evalset=evalset_from_split(dataset=dataset, split="train"))
    with pytest.raises(Rule, match="different evalsets"):
        services.compare_runs(base=done, other=other)


def test_the_leaderboard_ties_what_intervals_do_not_tell_apart(dataset):
    best = completed(dataset, seed=1)
    nearly = completed(dataset, seed=2, right=lambda i: i != 0)
    none = completed(dataset, seed=3, right=lambda i: False)
    newer = completed(dataset, seed=3, right=lambda i: False)
    standings = services.leaderboard(evalset=best.evalset)
    assert [(standing.rank, standing.run) for standing in standings] == [(1, best), (1, nearly), (3, newer)]
    assert none not in [standing.run for standing in standings]  # the same config again: the newest counts


def test_the_leaderboard_has_the_newest_run_of_each_engine(dataset, tunix):
    ours, tunixs = (completed(dataset, seed=1, engine=engine) for engine in ("jax", "tunix"))
    assert {standing.run for standing in services.leaderboard(evalset=ours.evalset)} == {ours, tunixs}
    assert services.config_difference(ours, tunixs) == [("engine", "jax", "tunix")]


def test_only_what_two_configs_say_is_a_difference(dataset):
    adapted = TINY | {"model": {"size": "tiny", "lora": {"rank": 4}}}
    base, other = (
        services.launch_run(dataset_key=dataset.key, config=adapted | {"mesh": mesh}, seed=1)
        for mesh in ({}, {"data": 2})
    )
    del base.config["mesh"], base.config["training"]["max_seconds"], base.config["eval"]["top_k"]
    assert services.config_difference(base, other) == []
    base.config["model"]["lora"]["rank"] = 2
    assert services.config_difference(base, other) == [("model.lora.rank", 2, 4)]
    base.config["model"] |= {"lora": None}
    assert ("model.lora.alpha", None, 16.0) in services.config_difference(base, other)


def test_a_config_that_cannot_be_read_any_more_is_compared_as_it_is(dataset):
    base, other = (services.launch_run(dataset_key=dataset.key, config=TINY, seed=1) for _ in range(2))
    base.config["training"] |= {"schedule": "wavy"}
    assert services.config_difference(base, other) == [("training.schedule", "wavy", "cosine")]
