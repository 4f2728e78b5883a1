"""From a request to a frozen directory."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from datasets_app import rows as rows_module
from datasets_app import services
from datasets_app.models import Dataset
from datasets_app.pipeline import building, gathering
from datasets_app.selection import Selection
from tests.factories import make_trace, make_traces
from traces.models import Import, Trace
from training.canonical import canonical_json, sha256_hex
from training.errors import Invalid
from training.splits import group_of, order_key, split_of
from tunixrt.jobs import work
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Conflict, Rule

pytestmark = pytest.mark.django_db


def build(version="1", **request):
    return services.build_dataset(request={"dataset_name": "set", "dataset_version": version, **request}, by=None)


def rows(dataset: Dataset) -> list[dict]:
    return [json.loads(line) for line in dataset.rows_path.read_text().splitlines()]


def ids(dataset: Dataset) -> list[str]:
    return [row["id"] for row in rows(dataset)]


def dated(number: int) -> list[Trace]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [make_trace(f"What is {i}?", created_at=start + timedelta(days=i)) for i in range(number)]


def test_the_directory_holds_canonical_rows_and_a_manifest_that_agrees_with_the_database():
    trace = make_trace(meta={"source": "example", "weight": 1e2})
    dataset, created = build(filters={"source": "example"}, session_id="s-1")
    row = {"id": str(trace.pk), "split": split_of(group_of(trace.payload)), **trace.payload}
    del row["trace_version"]
    assert created
    assert dataset.status == "frozen"
    assert dataset.rows_path.read_text() == canonical_json(row) + "\n"
    manifest = json.loads(dataset.manifest_path.read_text())
    assert manifest["content_sha256"] == sha256_hex(dataset.rows_path.read_bytes()) == dataset.content_sha256
    assert manifest["dataset_key"] == "set-1"
    assert manifest["build_id"] == str(dataset.pk)
    assert manifest["trace_ids"] == [str(trace.pk)]
    assert manifest["filters"] == {"source": "example"}
    assert manifest["session_id"] == "s-1"
    assert manifest["seed"] == dataset.seed
    assert (manifest["limit"], manifest["recipe"]) == (100, "trace_sft_v1")
    assert set(manifest) == {
        *("dataset_key", "build_id", "dataset_name", "dataset_version", "dataset_schema_version", "created_at"),
        *("filters", "selection_strategy", "stratify_by", "quotas", "mix", "limit", "seed", "trace_ids"),
        *("trace_count", "splits", "max_length"),
        *(
            "stats",
            "recipe",
            "instruction",
            "session_id",
            "parent_dataset_id",
            "training_run_id",
            "provenance",
            "seeded",
        ),
        *("gates", "content_sha256"),
    }


def test_rows_come_from_the_canonical_text_and_never_from_the_json_column():
    trace = make_trace(meta={"weight": 1.50, "big": 1e22})
    Trace.objects.filter(pk=trace.pk).update(meta={"weight": "rewritten"})
    dataset, _ = build()
    assert '"weight":1.5' in dataset.rows_path.read_text()
    assert '"big":1e+22' in dataset.rows_path.read_text()


def test_latest_takes_the_newest_first():
    traces = dated(4)
    dataset, _ = build(limit=3)
    assert ids(dataset) == [str(trace.pk) for trace in reversed(traces[1:])]


def test_all_takes_everything_oldest_first_unless_a_limit_is_asked_for():
    traces = dated(4)
    assert ids(build(selection_strategy="all")[0]) == [str(trace.pk) for trace in traces]
    assert ids(build("2", selection_strategy="all", limit=2)[0]) == [str(trace.pk) for trace in traces[:2]]


def test_ids_break_ties_of_time():
    traces = make_traces(30)
    dataset, _ = build(selection_strategy="all")
    assert ids(dataset) == sorted(str(trace.pk) for trace in traces)


def test_random_follows_the_hash_of_seed_and_content_so_new_traces_do_not_reshuffle():
    traces = make_traces(40)
    drawn = ids(build(selection_strategy="random", seed=7, limit=20)[0])
    by_hash = sorted(traces, key=lambda trace: (order_key(7, trace.content_sha256), trace.pk))
    assert drawn == [str(trace.pk) for trace in by_hash[:20]]
    make_traces(5, meta={"more": True}, steps=4)
    again = ids(build("2", selection_strategy="random", seed=7, limit=20)[0])
    assert [trace_id for trace_id in again if trace_id in drawn] == drawn[: sum(i in drawn for i in again)]


def test_a_seed_is_drawn_once_and_recorded_and_the_same_request_finds_the_dataset_again():
    make_traces(30)
    first, created = build(selection_strategy="random", limit=5)
    assert created
    assert 0 <= first.seed < 2**63
    again, created = build(selection_strategy="random", limit=5)
    assert (again, created) == (first, False)


def test_rows_of_an_import_that_is_not_done_are_not_chosen():
    hidden = Import.objects.create(file_name="a", file_sha256="", file_bytes=1, format="trace", source="a")
    Trace.objects.filter(pk=make_trace("hidden").pk).update(imported_by=hidden)
    seen = make_trace("seen")
    assert ids(build(selection_strategy="all")[0]) == [str(seen.pk)]


def test_no_matching_trace_is_refused_and_leaves_nothing(home):
    with pytest.raises(Rule, match="No trace matches"):
        build(filters={"source": "nowhere"})
    assert not Dataset.objects.exists()
    assert not (home / "datasets").exists()


def test_a_frozen_key_refuses_other_content_and_says_what_differs():
    make_traces(3)
    build()
    make_trace("another")
    with pytest.raises(Conflict) as caught:
        build(recipe="answer_only_v1")
    assert caught.value.code == "frozen"
    assert [str(fault) for fault in caught.value.faults] == [
        "recipe: 'answer_only_v1' is asked for, 'trace_sft_v1' is frozen",
        "trace_ids: 4 are selected now, 1 of them new; 0 of the 3 frozen ones are not",
    ]


def test_a_key_that_differs_in_case_only_is_taken():
    make_trace()
    build()
    with pytest.raises(Conflict, match="in case only"):
        services.build_dataset(request={"dataset_name": "SET", "dataset_version": "1"}, by=None)


BAD_REQUESTS = [
    ({"limit": 0}, ("limit",), "number_out_of_range"),
    ({"limit": 1_000_001}, ("limit",), "number_out_of_range"),
    ({"limit": "5"}, ("limit",), "wrong_type"),
    ({"limit": 5.0}, ("limit",), "wrong_type"),
    ({"limit": True}, ("limit",), "wrong_type"),
    ({"seed": -1}, ("seed",), "number_out_of_range"),
    ({"seed": 2**64}, ("seed",), "number_out_of_range"),
    ({"seed": "1"}, ("seed",), "wrong_type"),
    ({"selection_strategy": ["all"]}, ("selection_strategy",), "unknown_value"),
    ({"recipe": "other"}, ("recipe",), "unknown_value"),
    ({"instruction": 7}, ("instruction",), "wrong_type"),
    ({"instruction": "x" * 10_001}, ("instruction",), "too_long"),
    ({"filters": []}, ("filters",), "not_object"),
    ({"filters": {"min_score": "high"}}, ("filters", "min_score"), "wrong_value"),
    ({"filters": {"anything": {"deep": 1}}}, ("filters", "anything"), "wrong_type"),
    ({"strict": 1}, ("strict",), "wrong_type"),
    ({"strict": True, "selection_strategy": "random"}, ("seed",), "missing_field"),
    ({"parent_dataset_id": "x"}, ("parent_dataset_id",), "wrong_value"),
    ({"parent_dataset_id": "00000000-0000-0000-0000-000000000000"}, ("parent_dataset_id",), "unknown_dataset"),
    ({"provenance": []}, ("provenance",), "wrong_type"),
    ({"status": "frozen"}, ("status",), "unknown_field"),
    ({"optoin": 1}, ("optoin",), "unknown_field"),
]


@pytest.mark.parametrize(("request_part", "loc", "code"), BAD_REQUESTS)
def test_bad_input_is_refused_with_its_place_before_any_row_or_directory(home, request_part, loc, code):
    make_trace()
    with pytest.raises(Invalid) as caught:
        build(**request_part)
    assert (caught.value.faults[0].loc, caught.value.faults[0].type) == (loc, code)
    assert not Dataset.objects.exists()
    assert not (home / "datasets").exists()


def test_the_instruction_not_given_is_that_of_the_recipe():
    make_trace()
    assert build()[0].instruction == "Show your work as steps"
    assert "between <answer> and </answer>" in build("2", recipe="reasoning_tags_v1")[0].instruction
    assert build("3", recipe="reasoning_tags_v1", instruction="")[0].instruction == ""


@pytest.mark.parametrize("body", [None, [], "x", 3])
def test_a_request_is_an_object(body):
    with pytest.raises(Invalid):
        services.build_dataset(request=body, by=None)


def test_a_large_build_is_left_to_a_worker_and_done_by_it(monkeypatch):
    monkeypatch.setattr("datasets_app.services.datasets.INLINE_TRACES", 2)
    make_traces(3)
    dataset, created = build()
    assert (dataset.status, created) == ("building", True)
    job = Job.objects.get(target=dataset.pk)
    with pytest.raises(Conflict, match="is being built"):
        build()
    work.perform(job.pk)
    dataset.refresh_from_db()
    assert (dataset.status, len(rows(dataset))) == ("frozen", 3)


def test_a_cancelled_build_holds_no_traces_and_the_key_is_free_again(monkeypatch):
    monkeypatch.setattr("datasets_app.services.datasets.INLINE_TRACES", 0)
    make_trace()
    dataset, _ = build()
    services.cancel_build(dataset=dataset)
    dataset.refresh_from_db()
    assert dataset.status == "cancelled"
    with pytest.raises(Conflict, match="no build to cancel"):
        services.cancel_build(dataset=dataset)
    monkeypatch.setattr("datasets_app.services.datasets.INLINE_TRACES", 10)
    again, created = build()
    assert (again.pk, again.status, created) == (dataset.pk, "frozen", True)


@pytest.mark.parametrize("crash_at", ["gather", "store_items", "check_rows", "write_json_atomic", "put_on_disk"])
def test_a_build_that_crashed_anywhere_is_finished_by_the_next_attempt(monkeypatch, crash_at):
    monkeypatch.setattr("datasets_app.services.datasets.INLINE_TRACES", 0)
    make_traces(5)
    dataset, _ = build()
    job = Job.objects.get(target=dataset.pk)

    class Killed(BaseException):
        """As a kill: nothing that the work would do about an error happens."""

    def kill(*args, **options):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(building, crash_at, kill)
        with pytest.raises(Killed):
            work.perform(job.pk)
    job.refresh_from_db()
    work.give_back(job, "its worker fell silent")
    work.perform(job.pk)
    dataset.refresh_from_db()
    assert (dataset.status, dataset.items.count(), len(rows(dataset))) == ("frozen", 5, 5)
    assert [entry.name for entry in dataset.directory.parent.iterdir()] == ["set-1"]


def test_a_build_killed_between_the_directory_and_the_row_is_finished_with_that_directory(monkeypatch):
    monkeypatch.setattr("datasets_app.services.datasets.INLINE_TRACES", 0)
    make_traces(5)
    dataset, _ = build()
    job = Job.objects.get(target=dataset.pk)
    monkeypatch.setattr(building.BuildDataset, "ended", lambda self, job: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        work.perform(job.pk)
    before = dataset.rows_path.stat().st_mtime_ns
    monkeypatch.undo()
    job.refresh_from_db()
    work.give_back(job, "its worker fell silent")
    work.perform(job.pk)
    dataset.refresh_from_db()
    assert dataset.status == "frozen"
    assert dataset.rows_path.stat().st_mtime_ns == before


def test_a_directory_with_other_rows_is_an_error_that_names_it_and_is_left_alone(home):
    make_trace()
    there = home / "datasets" / "set-1"
    there.mkdir(parents=True)
    (there / "dataset.jsonl").write_text("{}\n")
    with pytest.raises(Conflict, match=str(there)):
        build()
    dataset = Dataset.objects.get()
    assert dataset.status == "failed"
    assert not dataset.items.exists()
    assert (there / "dataset.jsonl").read_text() == "{}\n"


def test_building_again_restores_a_lost_directory():
    make_traces(5)
    dataset, _ = build()
    before = {path.name: path.read_bytes() for path in dataset.directory.iterdir()}
    for path in dataset.directory.iterdir():
        path.unlink()
    dataset.directory.rmdir()
    build()
    assert {path.name: path.read_bytes() for path in dataset.directory.iterdir()} == before


def test_a_trace_that_vanishes_while_it_is_collected_fails_the_build(monkeypatch):
    make_traces(3)
    lost = Selection.of([uuid4()])
    monkeypatch.setattr(gathering, "select", lambda request: lost)
    with pytest.raises(Conflict, match="was deleted while"):
        build()
    assert Dataset.objects.get().status == "failed"


def test_the_same_key_twice_in_one_request_is_one_dataset(user):
    make_traces(3)
    request = {"dataset_name": "set", "dataset_version": "1"}
    first = services.build_dataset(request=request, by=user, idempotency_key="k")
    make_trace("later")
    second = services.build_dataset(request=request, by=user, idempotency_key="k")
    assert (first[1], second[1]) == (True, False)
    assert first[0] == second[0]
    with pytest.raises(Conflict):
        services.build_dataset(request=request | {"limit": 2}, by=user, idempotency_key="k")


@pytest.mark.parametrize("key", ["k", None])
def test_who_asks_again_before_the_work_has_begun_does_not_begin_it_too(user, monkeypatch, key):
    make_trace()
    request = {"dataset_name": "set", "dataset_version": "1"}
    asked_again = []

    def perform(job_id, watch=None):
        try:
            asked_again.append(services.build_dataset(request=request, by=user, idempotency_key=key))
        except Conflict as conflict:
            asked_again.append(conflict.code)
        work.perform(job_id)

    monkeypatch.setattr("datasets_app.services.datasets.perform", perform)
    dataset, created = services.build_dataset(request=request, by=user, idempotency_key=key)
    assert (created, dataset.status) == (True, "frozen")
    assert asked_again == ([(dataset, False)] if key else ["being_built"])


def test_a_failed_build_is_not_repeated_by_the_same_idempotency_key(user, home):
    make_trace()
    there = home / "datasets" / "set-1"
    there.mkdir(parents=True)
    request = {"dataset_name": "set", "dataset_version": "1"}
    for _ in range(2):
        with pytest.raises(Conflict, match="holds other rows"):
            services.build_dataset(request=request, by=user, idempotency_key="k")
    there.rmdir()
    assert services.build_dataset(request=request, by=user, idempotency_key="new")[1]


def test_a_chunk_boundary_loses_no_row(monkeypatch):
    for module, name in ((gathering, "CHUNK"), (building, "ITEMS"), (rows_module, "CHUNK")):
        monkeypatch.setattr(module, name, 2)
    make_traces(5)
    dataset, _ = build()
    assert len(rows(dataset)) == 5
    assert list(dataset.items.values_list("position", flat=True)) == list(range(5))
    assert Path(dataset.manifest_path).exists()
