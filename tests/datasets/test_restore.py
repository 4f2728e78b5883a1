"""Datasets whose files and database disagree: `doctor` names each, and restoring puts it right or says why not."""

import json
import shutil
from io import StringIO

import pytest
from django.core.management import call_command

from datasets_app import services
from datasets_app.models import Dataset, DatasetItem
from tests.factories import make_traces, make_user
from traces.models import Trace
from training.canonical import canonical_json, sha256_hex
from training.errors import Invalid
from tunixrt.lib.errors import Conflict, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset():
    make_traces(12, meta={"source": "a", "weight": 1e22})
    request = {"dataset_name": "set", "dataset_version": "1", "seed": 3, "selection_strategy": "random"}
    return services.build_dataset(request=request | {"provenance": {"by": "hand"}}, by=make_user())[0]


def lose_directory(dataset):
    shutil.rmtree(dataset.directory)


def lose_manifest(dataset):
    dataset.manifest_path.unlink()


def break_manifest(dataset):
    dataset.manifest_path.write_bytes(b"{")


def nest_manifest(dataset):
    dataset.manifest_path.write_text("[" * 100_000)


def list_manifest(dataset):
    dataset.manifest_path.write_text("[]")


def alter_manifest(dataset):
    edit(dataset, seed=4, gates=[])


def extend_manifest(dataset):
    edit(dataset, **{"\x1b[31m": 1})


def lose_rows(dataset):
    dataset.rows_path.unlink()


def alter_rows(dataset):
    dataset.rows_path.write_text(dataset.rows_path.read_text().replace("27", "28"))


def cut_rows(dataset):
    dataset.rows_path.write_bytes(dataset.rows_path.read_bytes()[:-50])


def lose_items(dataset):
    dataset.items.filter(position__gte=7).delete()


def lose_all_items_and_traces(dataset):
    dataset.items.all().delete()
    Trace.objects.all().delete()


def swap_items(dataset):
    first, last = dataset.items.get(position=0), dataset.items.get(position=11)
    first.delete()
    last.delete()
    for item, place in ((first, 11), (last, 0)):
        DatasetItem.objects.create(
            dataset=dataset, position=place, trace=item.trace, split=item.split, group=item.group
        )


def change_split(dataset):
    item = dataset.items.get(position=5)
    dataset.items.filter(pk=item.pk).update(split="test" if item.split != "test" else "train")


def add_item(dataset):
    trace = make_traces(1)[0]
    DatasetItem.objects.create(dataset=dataset, position=12, trace=trace, split="train")


def lose_row(dataset):
    Dataset.objects.filter(pk=dataset.pk).delete()


def lose_row_and_traces(dataset):
    lose_row(dataset)
    Trace.objects.all().delete()


def alter_row(dataset):
    Dataset.objects.filter(pk=dataset.pk).update(seed=9, stats={}, instruction="Another", leak_count=3, trace_count=4)


def edit(dataset, **fields):
    manifest = json.loads(dataset.manifest_path.read_bytes())
    dataset.manifest_path.write_text(json.dumps(manifest | fields))


FILES = [
    *(lose_directory, lose_manifest, break_manifest, nest_manifest, list_manifest, alter_manifest, extend_manifest),
    *(lose_rows, alter_rows, cut_rows),
]
ROWS = [lose_items, lose_all_items_and_traces, swap_items, change_split, add_item, lose_row, lose_row_and_traces]


def test_a_sound_dataset_agrees_with_its_files(dataset):
    services.seed_dataset(key="golden-v1")
    assert services.check_dataset_files(dataset) == []
    assert list(services.damaged_datasets()) == []
    assert services.restore_dataset(key="set-1").to_dict() == {"dataset_key": "set-1", "source": None, "mended": []}
    assert "all agree with their files" in doctor()


@pytest.mark.parametrize("damage", [*FILES, *ROWS, alter_row])
def test_whatever_is_damaged_is_named_by_doctor(dataset, damage, capsys):
    damage(dataset)
    with pytest.raises(SystemExit) as stopped:
        call_command("doctor")
    assert stopped.value.code == 1
    told = capsys.readouterr().err
    assert "dataset set-1: " in told
    assert "run `manage.py restore_dataset set-1`" in told
    assert "\x1b" not in told


@pytest.mark.parametrize("damage", FILES)
@pytest.mark.parametrize("source", [None, "database"])
def test_damaged_files_are_restored_from_the_database(dataset, damage, source):
    before = files(dataset)
    damage(dataset)
    restored = services.restore_dataset(key="set-1", source=source)
    assert restored.source == "database"
    assert restored.mended
    assert files(dataset) == before
    assert services.check_dataset_files(dataset) == []


@pytest.mark.parametrize("damage", ROWS)
@pytest.mark.parametrize("source", [None, "disk"])
def test_a_damaged_database_is_restored_from_disk(dataset, damage, source):
    before, items = files(dataset), placed(dataset)
    damage(dataset)
    assert services.restore_dataset(key="set-1", source=source).source == "disk"
    again = Dataset.objects.get(key="set-1")
    assert (again.pk, again.status, again.request["provenance"]) == (dataset.pk, "frozen", {"by": "hand"})
    assert (again.created_at, again.stats, again.gates) == (dataset.created_at, dataset.stats, dataset.gates)
    assert placed(again) == items
    assert files(again) == before
    assert list(services.damaged_datasets()) == []
    assert list(services.export_rows(again, format="trace"))


def test_an_altered_row_is_restored_from_disk_and_overwrites_the_manifest_otherwise(dataset):
    before = files(dataset)
    alter_row(dataset)
    assert services.restore_dataset(key="set-1", source="disk").source == "disk"
    again = Dataset.objects.get(key="set-1")
    assert (again.seed, again.stats, again.trace_count) == (3, dataset.stats, 12)
    assert files(dataset) == before


def test_twins_are_still_known_where_the_database_knew_them(dataset):
    dataset.items.update(group=77)
    change_split(dataset)
    services.restore_dataset(key="set-1")
    assert set(dataset.items.values_list("group", flat=True)) == {77}


def test_restored_traces_say_what_they_said(dataset):
    texts = dict(Trace.objects.values_list("pk", "canonical"))
    lose_row_and_traces(dataset)
    services.restore_dataset(key="set-1")
    assert dict(Trace.objects.values_list("pk", "canonical")) == texts


def test_a_seeded_set_is_still_the_seeded_set_once_it_is_restored():
    dataset = services.seed_dataset(key="golden-v1")
    before = files(dataset)
    lose_row_and_traces(dataset)
    services.restore_dataset(key="golden-v1")
    assert services.seed_dataset(key="golden-v1").pk == dataset.pk
    assert files(dataset) == before


def test_a_side_that_is_damaged_too_is_refused_and_left_as_it_is(dataset):
    alter_rows(dataset)
    lose_items(dataset)
    before = files(dataset)
    for source in ("disk", "database", None):
        with pytest.raises(Conflict, match=r"hash|not those that were frozen"):
            services.restore_dataset(key="set-1", source=source)
    assert files(dataset) == before
    assert dataset.items.count() == 7


def test_a_directory_of_other_rows_is_not_taken_for_the_dataset(dataset):
    text = dataset.rows_path.read_text().replace("27", "28")
    dataset.rows_path.write_text(text)
    edit(dataset, content_sha256=sha256_hex(text))
    with pytest.raises(Conflict, match="content_sha256"):
        services.restore_dataset(key="set-1", source="disk")
    lose_row(dataset)  # then the traces contradict it
    with pytest.raises(Invalid, match="says otherwise than the trace"):
        services.restore_dataset(key="set-1")
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    ("change", "msg"),
    [
        ({"dataset_key": "set-2"}, "is that of 'set-2', not of set-1"),
        ({"build_id": "x"}, "must be a uuid"),
        ({"recipe": "poem"}, "must be one of"),
        ({"created_at": "yesterday"}, "must be a time"),
        ({"trace_ids": []}, "the manifest has None there"),
        ({"trace_ids": ["6f1b7c52-3c0e-5d0f-9a3e-7d2a1c9b8e41"] * 12}, "name a trace twice"),
        ({"trace_count": 11}, "trace_count is 11, and the file has 12 rows"),
        ({"splits": {"train": 1, "valid": 0, "test": 0}}, "are not those of the rows"),
        ({"filters": "all"}, "must be an object"),
        ({"gates": 3}, "must be a list"),
        ({"content_sha256": "0"}, "must be a SHA-256"),
        ({"limit": True}, "must be a whole number"),
        ({"colour": 1}, "'colour' is not known here"),
        ({"stats": {"a": float("nan")}}, "finite"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused_with_the_reason(dataset, change, msg):
    lose_row(dataset)
    edit(dataset, **change)
    with pytest.raises(Invalid) as refused:
        services.restore_dataset(key="set-1")
    assert msg in str(refused.value)
    assert not Dataset.objects.exists()


ROW = '{"final_answer":"4","id":"x","meta":null,"prompt":"p","split":["train"],"steps":[]}'


@pytest.mark.parametrize(
    "line",
    [
        ROW,
        ROW.replace('["train"]', '"train"'),
        "{}",
        "[]",
        "3",
        "nonsense",
        '{"id": "x", "split": "train"}',
        '"\\ud800"',
        "",
    ],
)
def test_rows_that_cannot_be_are_refused_with_the_reason(dataset, line):
    lose_row(dataset)
    text = f"{line}\n" + dataset.rows_path.read_text()
    dataset.rows_path.write_text(text)
    edit(dataset, content_sha256=sha256_hex(text))
    with pytest.raises(Invalid):
        services.restore_dataset(key="set-1")
    assert not Dataset.objects.exists()


def test_rows_that_are_no_traces_are_refused(dataset):
    lose_row(dataset)
    Trace.objects.all().delete()
    row = json.loads(dataset.rows_path.read_text().splitlines()[0])
    row["steps"] = [{"i": -1, "type": "", "content": "x" * 30_000}]
    text = canonical_json(row) + "\n"
    dataset.rows_path.write_text(text)
    edit(dataset, content_sha256=sha256_hex(text), trace_ids=[row["id"]], trace_count=1)
    with pytest.raises(Invalid) as refused:
        services.restore_dataset(key="set-1")
    assert {fault.loc[:4] for fault in refused.value.faults} >= {("dataset.jsonl", 0, "steps", 0)}
    assert not Trace.objects.exists()


def test_only_frozen_datasets_are_restored_and_only_known_keys(dataset):
    with pytest.raises(NotFound, match="neither in the database nor on disk"):
        services.restore_dataset(key="set-9")
    with pytest.raises(Invalid):
        services.restore_dataset(key="../set-1")
    with pytest.raises(Invalid, match="must be disk or database"):
        services.restore_dataset(key="set-1", source="cloud")
    with pytest.raises(Conflict, match="in case only"):
        services.restore_dataset(key="SET-1")
    Dataset.objects.filter(pk=dataset.pk).update(status="failed")
    with pytest.raises(Conflict, match="is failed, not frozen"):
        services.restore_dataset(key="set-1", source="disk")


def test_a_restoring_that_was_killed_is_finished_by_the_next(dataset):
    items = placed(dataset)
    Dataset.objects.filter(pk=dataset.pk).update(status="sealing")
    dataset.items.filter(position__gte=3).delete()
    assert services.restore_dataset(key="set-1").source == "disk"
    assert Dataset.objects.get(pk=dataset.pk).status == "frozen"
    assert [place[:3] for place in placed(dataset)] == [place[:3] for place in items]


def test_a_build_of_another_key_is_not_taken_over(dataset):
    shutil.copytree(dataset.directory, dataset.directory.with_name("set-2"))
    copied = dataset.directory.with_name("set-2") / "manifest.json"
    manifest = json.loads(copied.read_bytes()) | {"dataset_key": "set-2", "dataset_version": "2"}
    copied.write_text(json.dumps(manifest))
    with pytest.raises(Conflict, match="is set-1 in the database"):
        services.restore_dataset(key="set-2")
    assert [key for key, _ in services.damaged_datasets()] == ["set-2"]


def test_manifests_of_earlier_versions_are_sound(dataset):
    manifest = json.loads(dataset.manifest_path.read_bytes())
    for name in ("quotas", "mix", "seeded"):
        del manifest[name]
    dataset.manifest_path.write_text(json.dumps(manifest))
    assert services.check_dataset_files(dataset) == []


def test_the_command_tells_what_it_mended(dataset, capsys):
    lose_manifest(dataset)
    call_command("restore_dataset", "set-1")
    assert capsys.readouterr().out.splitlines() == [
        "mended: manifest.json is missing",
        "set-1 is restored from database",
    ]
    call_command("restore_dataset", "set-1", "--from", "disk", "--json")
    assert json.loads(capsys.readouterr().out) == {"dataset_key": "set-1", "source": None, "mended": []}


def test_staff_restore_on_the_page_and_nobody_else(dataset, client_in, client):
    lose_directory(dataset)
    address = "/datasets/set-1/restore/"
    assert "restore/" not in client_in.get("/datasets/set-1/").content.decode()
    assert client_in.post(address, {"source": "database"}).status_code == 403
    client.force_login(make_user(is_staff=True))
    assert "Restore the files from the database" in client.get("/datasets/set-1/").content.decode()
    page = client.post(address, {"source": "database"}, follow=True).content.decode()
    assert "Restored from database" in page
    assert services.check_dataset_files(dataset) == []
    assert "Database and directory agree" in client.post(address, {"source": "disk"}, follow=True).content.decode()
    lose_rows(dataset)
    assert "nothing to restore from" in client.post(address, {"source": "disk"}, follow=True).content.decode()
    assert client.get(address).status_code == 405


def files(dataset):
    return {path.name: path.read_bytes() for path in sorted(dataset.directory.iterdir())}


def placed(dataset):
    return list(dataset.items.order_by("position").values_list("position", "trace_id", "split"))


def doctor():
    out = StringIO()
    call_command("doctor", stdout=out)
    return out.getvalue()
