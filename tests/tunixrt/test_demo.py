"""What the demo prints once its two runs are done; that they get there, the loop's test of the whole shows."""

import pytest

from datasets_app.services import seed_dataset
from tests.runs.making import TINY, completed
from tunixrt.management.commands.demo import Command, compared

pytestmark = pytest.mark.django_db


def test_the_demo_prints_what_was_decided_of_each_run_and_between_them():
    dataset = seed_dataset(key="chain-test", count=300, seed=1, difficulty=2)
    steps = completed(dataset, name="demo: with steps", seed=1)
    answers = completed(
        dataset,
        name="demo: answers only",
        right=lambda i: i % 15 == 0,
        seed=1,
        config=TINY | {"data": TINY["data"] | {"recipe": "answer_only_v1"}},
    )
    for run in (steps, answers):
        run.keep_metrics({"total_steps": 4, "total_tokens": 100, "wall_time_s": 1.5})
    result = compared([steps, answers])
    lines = list(Command().show(result | {"dataset": dataset.key, "password": None}))
    assert "with steps, after against before: SHIP." in lines
    assert "answers only, after against before: HOLD." in lines
    assert f"With steps against answers only: SHIP. {result['comparison']['reason']}" in lines
    assert result["comparison"]["reason"].startswith("A gain of ")
