"""Generated questions that no dataset teaches."""

import pytest

from training.errors import Invalid
from training.evalsets import validate_items
from training.held_out import COUNTS, held_out_items
from training.problems import PROBLEMS, generate_traces
from training.splits import group_of, split_of


def group(problem: str, item: dict) -> str:
    return group_of({"prompt": item["prompt"], "meta": {"problem": problem}})


@pytest.mark.parametrize("problem", list(PROBLEMS))
def test_every_item_is_of_a_group_that_datasets_hold_out_and_of_each_group_there_is_one(problem):
    items = held_out_items(problem, count=40, seed=11)
    groups = [group(problem, item) for item in items]
    assert {split_of(each) for each in groups} == {"test"}
    assert len(set(groups)) == len(items) == 40
    validate_items(items)
    assert {item["category"] for item in items} == {problem}


@pytest.mark.parametrize("seed", [0, 11, 2**63 - 1])
def test_no_seed_teaches_them_in_a_train_split_its_own_least_of_all(seed):
    asked = {item["prompt"] for item in held_out_items("multiplication", count=100, seed=11)}
    rows = list(generate_traces("multiplication", count=5000, seed=seed))
    taught = {row["prompt"] for row in rows if split_of(group_of(row)) == "train"}
    assert len(taught) > 1000
    assert not asked & taught


def test_an_id_tells_the_draw_that_makes_the_item_again():
    item = held_out_items("chain", count=3, seed=7, difficulty=4)[2]
    problem, difficulty, seed, index = item["id"].rsplit("-", 3)
    draws = list(generate_traces(problem, count=int(index) + 1, seed=int(seed), difficulty=int(difficulty)))
    assert (draws[-1]["prompt"], draws[-1]["final_answer"]) == (item["prompt"], item["expected_answer"])
    assert draws[-1]["steps"] == item["steps"]


def test_more_items_begin_with_the_fewer_and_another_seed_has_others():
    few, many = (held_out_items("chain", count=count, seed=7) for count in (5, 50))
    assert many[:5] == few
    assert held_out_items("chain", count=5, seed=8) != few


@pytest.mark.parametrize(
    ("arguments", "loc"),
    [
        ({"problem": "chess"}, "problem"),
        ({"count": 0}, "count"),
        ({"count": COUNTS[-1] + 1}, "count"),
        ({"difficulty": 33}, "difficulty"),
        ({"seed": -1}, "seed"),
        ({"difficulty": 1, "count": 10}, "count"),
    ],
)
def test_what_cannot_be_is_refused_by_name(arguments, loc):
    given = {"problem": "chain", "count": 5, "seed": 1} | arguments
    with pytest.raises(Invalid) as caught:
        held_out_items(given.pop("problem"), **given)
    assert caught.value.faults[0].loc == (loc,)


def test_too_few_questions_say_how_many_there_are():
    with pytest.raises(Invalid, match="2 held-out questions are found"):
        held_out_items("chain", count=10, seed=1, difficulty=1)
