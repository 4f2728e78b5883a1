"""Evalsets that are large enough to tell runs apart, runs that were examined on them, and what these answered."""

from django.db.models import QuerySet

from datasets_app import services
from datasets_app.models import EvalSet
from runs.models import Evaluation, Prediction, Run
from tests.runs.making import TINY, completed


def make_exam(count: int = 40, *, name: str = "exam") -> EvalSet:
    """Sums and words by turns."""
    items = [
        {
            "id": f"item-{i:03}",
            "prompt": f"What is {i} + {i}, asked in {name}?",
            "expected_answer": str(2 * i),
            "category": ("sums", "words")[i % 2],
            "difficulty": "easy",
            "steps": [{"i": 0, "type": "compute", "content": f"{i} + {i} = {2 * i}"}],
        }
        for i in range(count)
    ]
    return services.evalset_from_items(items=items, name=name, by=None)


def examined(dataset, exam: EvalSet, right: int = 40, **launch) -> Run:
    """A run that is right on the first so many items."""
    return completed(dataset, evalset=exam, right=lambda i: i < right, **launch)


def another_config(number: int) -> dict:
    """One that differs from the others by a number."""
    return TINY | {"training": TINY["training"] | {"learning_rate": 1e-3 * (number + 1)}}


def judged_by(run: Run, version: str) -> None:
    """As if another version of the judge had judged it."""
    Evaluation.objects.filter(run=run).update(judges={"answer_correctness": version} if version else {})


def answers_of(run: Run, stage: str) -> QuerySet[Prediction]:
    """The rows of a run's present examination, in the evalset's order."""
    present = Evaluation.objects.current().filter(run=run, stage=stage)
    return Prediction.objects.filter(evaluation__in=present).select_related("item")
