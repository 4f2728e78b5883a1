"""Sets that are the same everywhere."""

import json
import shutil

import pytest

from datasets_app import services
from datasets_app.models import Dataset
from tests.factories import make_traces
from traces.models import Trace
from training.canonical import stable_id
from training.errors import Invalid
from training.golden import golden_traces
from training.problems import generate_traces
from tunixrt.lib.errors import Conflict

pytestmark = pytest.mark.django_db

# These hashes never change: the bytes of golden sets are the same for ever.
GOLDEN_HASHES = {
    "golden-v1": "c47d8f2fb75b540a650389bf240b8301efeeb5cdd150babb8929338cc2a31222",
    "golden-v2": "47e9b43d20a9434e3e1e6c8c2dbcabe28c7b8f7748054356a9de0a9975fe672c",
}


def files(dataset: Dataset) -> dict:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in dataset.directory.iterdir()}


@pytest.mark.parametrize("key", GOLDEN_HASHES)
def test_a_golden_set_has_the_same_bytes_for_ever(key):
    dataset = services.seed_dataset(key=key)
    assert dataset.content_sha256 == GOLDEN_HASHES[key]
    rows = [json.loads(line) for line in dataset.rows_path.read_text().splitlines()]
    expected = {str(stable_id(payload, index)): payload for index, payload in enumerate(golden_traces(key))}
    assert [row["id"] for row in rows] == sorted(expected)
    assert all(row["prompt"] == expected[row["id"]]["prompt"] for row in rows)
    assert Trace.objects.count() == len(expected)


def test_seeding_again_touches_nothing():
    dataset = services.seed_dataset(key="golden-v2")
    before = files(dataset)
    assert services.seed_dataset(key="golden-v2") == dataset
    assert files(dataset) == before
    assert Trace.objects.count() == 100


def test_other_traces_do_not_leak_in():
    make_traces(10)
    assert services.seed_dataset(key="golden-v1").trace_count == 5


def test_a_lost_directory_is_written_again_byte_for_byte():
    dataset = services.seed_dataset(key="golden-v2")
    before = files(dataset)
    shutil.rmtree(dataset.directory)
    services.seed_dataset(key="golden-v2")
    assert {name: text for name, (text, _) in files(dataset).items()} == {n: text for n, (text, _) in before.items()}


def test_after_a_lost_database_the_directory_is_adopted_untouched():
    dataset = services.seed_dataset(key="golden-v2")
    before = files(dataset)
    Dataset.objects.all().delete()
    Trace.objects.all().delete()
    again = services.seed_dataset(key="golden-v2")
    assert again.status == "frozen"
    assert files(again) == before


def test_a_lost_manifest_is_written_again():
    dataset = services.seed_dataset(key="golden-v1")
    text = dataset.manifest_path.read_text()
    dataset.manifest_path.unlink()
    services.seed_dataset(key="golden-v1")
    assert dataset.manifest_path.read_text() == text


def test_rows_that_were_changed_by_hand_are_reported_and_left_alone():
    dataset = services.seed_dataset(key="golden-v1")
    dataset.rows_path.write_text("{}\n")
    with pytest.raises(Conflict, match=str(dataset.directory)):
        services.seed_dataset(key="golden-v1")
    assert dataset.rows_path.read_text() == "{}\n"


def test_a_problem_is_seeded_under_any_version():
    dataset = services.seed_dataset(key="chain-demo", count=30, seed=5, difficulty=3)
    ids = {stable_id(payload, i) for i, payload in enumerate(generate_traces("chain", count=30, seed=5, difficulty=3))}
    assert set(dataset.items.values_list("trace_id", flat=True)) == ids
    assert dataset.request["seeded"] == {"dataset": "chain-demo", "count": 30, "seed": 5, "difficulty": 3}


def test_another_count_under_the_same_key_is_refused():
    services.seed_dataset(key="chain-demo", count=10)
    with pytest.raises(Conflict, match="frozen"):
        services.seed_dataset(key="chain-demo", count=11)


def test_the_same_problems_under_two_keys_share_their_traces():
    services.seed_dataset(key="chain-a", count=10)
    services.seed_dataset(key="chain-b", count=20)
    assert Trace.objects.count() == 20


def test_a_trace_of_the_same_content_and_another_meta_is_never_taken_silently():
    services.seed_dataset(key="addition-a", count=200, seed=1, difficulty=1)
    with pytest.raises(Conflict, match="Choose another seed"):
        services.seed_dataset(key="addition-b", count=200, seed=2, difficulty=1)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"key": "golden-v9"}, "unknown_dataset"),
        ({"key": "nothing-1"}, "unknown_dataset"),
        ({"key": "chain"}, "bad_key"),
        ({"key": "../chain-1"}, "bad_key"),
        ({"key": "golden-v1", "seed": 3}, "unknown_field"),
        ({"key": "golden-v1", "difficulty": 3}, "unknown_field"),
        ({"key": "golden-v2", "count": 101}, "number_out_of_range"),
        ({"key": "golden-v2", "seed": -1}, "number_out_of_range"),
        ({"key": "golden-v2", "seed": 2**63}, "number_out_of_range"),
        ({"key": "chain-1", "count": 0}, "number_out_of_range"),
        ({"key": "chain-1", "seed": -1}, "number_out_of_range"),
        ({"key": "chain-1", "difficulty": 10**6}, "number_out_of_range"),
    ],
)
def test_what_cannot_be_seeded_is_said_and_nothing_is_stored(arguments, code):
    with pytest.raises(Invalid) as caught:
        services.seed_dataset(**arguments)
    assert caught.value.faults[0].type == code
    assert not Trace.objects.exists()
