"""Which items of an evalset a dataset gives away, told from what its freeze recorded."""

import pytest

from datasets_app import services
from datasets_app.models import Dataset
from datasets_app.pipeline import leaks
from datasets_app.services import given_away
from tests.datasets.test_leaks import KNOWN, build, evalset_that_asks
from tests.factories import make_payload, make_traces, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def exam():
    """What is asked: the three known questions and one that nobody was taught."""
    return evalset_that_asks(*KNOWN, make_payload("Who wrote the play about the prince of Denmark?", final_answer="x"))


@pytest.fixture
def leaky(exam):
    make_traces(8)
    store(KNOWN)
    return build()


def taught(dataset: Dataset) -> frozenset[str]:
    """The items whose very prompt a train row has."""
    prompts = [item.trace.payload["prompt"] for item in dataset.items.filter(split="train").select_related("trace")]
    return frozenset(f"item-{number}" for number, payload in enumerate(KNOWN) if payload["prompt"] in prompts)


def test_the_items_that_a_dataset_gives_away_are_named(leaky, exam):
    found = given_away(dataset=leaky, evalset=exam)
    assert found.items == taught(leaky)
    assert 0 < found.count < exam.item_count
    assert found.is_complete


def test_an_evalset_that_came_later_was_never_held_against_the_rows(leaky):
    later = evalset_that_asks(make_payload("What did nobody ask before?", final_answer="this"))
    assert given_away(dataset=leaky, evalset=later) is None


def test_the_own_held_out_rows_were_held_against_the_others():
    dataset = services.seed_dataset(key="chain-own", count=60, seed=1, difficulty=2)
    own = services.evalset_from_split(dataset=dataset, split="test")
    assert given_away(dataset=dataset, evalset=own) == services.GivenAway(frozenset(), 0)
    other = services.seed_dataset(key="chain-other", count=60, seed=2, difficulty=2)
    assert given_away(dataset=other, evalset=own) is None


def test_what_is_shipped_is_known_by_its_content(leaky):
    shipped = services.shipped_evalset(name="eval_v1", by=None)
    assert given_away(dataset=leaky, evalset=shipped) == services.GivenAway(frozenset(), 0)
    impostor = services.evalset_from_items(
        items=[{"id": "1", "prompt": "Who?", "expected_answer": "I", "category": "c", "difficulty": "d"}],
        name="eval_v1",
        by=None,
    )
    assert given_away(dataset=leaky, evalset=impostor) is None


def test_more_than_are_named_are_counted(exam, monkeypatch):
    monkeypatch.setattr(leaks, "MOST_NAMED", 0)
    make_traces(8)
    store(KNOWN)
    dataset = build()
    found = given_away(dataset=dataset, evalset=exam)
    assert found.items == frozenset()
    assert found.count == len(taught(dataset)) > 0
    assert not found.is_complete


def test_an_older_record_names_the_items_of_its_findings(leaky, exam):
    result = leaky.result_of("contamination")
    for source in result["against"]:
        del source["given_away"], source["given_away_count"]
    assert given_away(dataset=leaky, evalset=exam) == services.GivenAway(taught(leaky), len(taught(leaky)))
    result["kinds"]["verbatim"] += 1  # a leak whose finding was not kept
    assert not given_away(dataset=leaky, evalset=exam).is_complete


def test_a_dataset_from_before_the_firewall_was_held_against_nothing(leaky, exam):
    leaky.gates = []
    assert given_away(dataset=leaky, evalset=exam) is None
