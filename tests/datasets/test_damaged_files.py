"""Files of a dataset that somebody altered: nothing breaks, everything says what to do."""

import json
import shutil

import pytest

from datasets_app import services
from datasets_app.models import Dataset
from tests.factories import make_traces
from training.errors import Invalid
from training.files import write_json_atomic
from tunixrt.lib.errors import Conflict, Unavailable

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset() -> Dataset:
    make_traces(12)
    return services.build_dataset(request={"dataset_name": "set", "dataset_version": "1"}, by=None)[0]


def truncate(dataset: Dataset) -> None:
    dataset.rows_path.write_bytes(dataset.rows_path.read_bytes()[:-40])


def empty(dataset: Dataset) -> None:
    dataset.rows_path.write_bytes(b"")


def put_other_bytes(dataset: Dataset) -> None:
    """As many as there were: only reading tells."""
    dataset.rows_path.write_bytes(b"\x00" * dataset.rows_path.stat().st_size)


def put_other_json(dataset: Dataset) -> None:
    size = dataset.rows_path.stat().st_size
    dataset.rows_path.write_bytes(b'{"a":1}\n' + b" " * (size - 9) + b"\n")


def link_elsewhere(dataset: Dataset) -> None:
    elsewhere = dataset.directory.parent / "elsewhere"
    dataset.rows_path.rename(elsewhere)
    dataset.rows_path.symlink_to(elsewhere)


def put_a_directory(dataset: Dataset) -> None:
    dataset.rows_path.unlink()
    dataset.rows_path.mkdir()


@pytest.mark.parametrize("damage", [truncate, empty, put_other_bytes, put_other_json, link_elsewhere, put_a_directory])
def test_altered_rows_are_handed_to_nobody_and_every_door_says_how_to_restore_them(dataset, damage, client_in, api):
    damage(dataset)
    assert client_in.get("/datasets/set-1/").status_code == 200
    for format in ("trace", "messages"):
        with pytest.raises(Unavailable, match="restore_dataset set-1"):
            list(services.export_rows(dataset, format=format))
    for read in (
        lambda: services.export_zip(dataset),
        lambda: services.evalset_from_split(dataset=dataset, split="train"),
    ):
        with pytest.raises(Unavailable, match="restore_dataset set-1"):
            read()
    answer = api.post("/api/evalsets", {"dataset_key": "set-1", "split": "train"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


@pytest.mark.parametrize("text", [b"", b"not json", b"\xff\xfe", b"[" * 100_000, b"{}"])
def test_a_manifest_that_cannot_be_read_is_written_anew_by_building_again(dataset, text):
    before = dataset.manifest_path.read_bytes()
    dataset.manifest_path.write_bytes(text)
    again, is_new = services.build_dataset(request={"dataset_name": "set", "dataset_version": "1"}, by=None)
    assert (again, is_new) == (dataset, False)
    assert dataset.manifest_path.read_bytes() == before


def test_a_directory_in_place_of_the_manifest_is_left_alone(dataset, client_in):
    dataset.manifest_path.unlink()
    dataset.manifest_path.mkdir()
    with pytest.raises(Conflict, match="Move it away"):
        services.build_dataset(request={"dataset_name": "set", "dataset_version": "1"}, by=None)
    assert client_in.get("/datasets/set-1/manifest/").status_code == 302
    assert client_in.get("/datasets/set-1/").status_code == 200


def put_a_file(dataset: Dataset) -> None:
    shutil.rmtree(dataset.directory)
    dataset.directory.write_text("in the way")


def put_a_directory_for_the_manifest(dataset: Dataset) -> None:
    dataset.manifest_path.unlink()
    dataset.manifest_path.mkdir()


@pytest.mark.parametrize("damage", [put_a_file, put_a_directory, put_a_directory_for_the_manifest])
@pytest.mark.parametrize("source", ["database", "disk", None])
def test_what_stands_in_the_way_of_a_restored_file_is_named_and_left_alone(dataset, damage, source):
    damage(dataset)
    with pytest.raises((Conflict, Unavailable, Invalid)):
        services.restore_dataset(key="set-1", source=source)
    assert dataset.directory.exists()


def test_the_manifest_of_a_dataset_that_is_older_than_some_fields_stays_as_it_was(dataset):
    later = ("quotas", "mix", "max_length", "seeded")
    dataset.request = {name: value for name, value in dataset.request.items() if name not in later}
    dataset.save()
    manifest = json.loads(dataset.manifest_path.read_bytes())
    write_json_atomic(dataset.manifest_path, {name: manifest[name] for name in manifest if name not in later})
    before = dataset.manifest_path.stat().st_mtime_ns
    services.build_dataset(request={"dataset_name": "set", "dataset_version": "1"}, by=None)
    assert dataset.manifest_path.stat().st_mtime_ns == before
    assert services.check_dataset_files(dataset) == []
