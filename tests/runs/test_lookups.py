"""What the databases find alike."""

import pytest

from datasets_app.models import EvalItem
from runs.models import Prediction, Run
from tests.runs.exams import make_exam

pytestmark = pytest.mark.django_db


@pytest.fixture
def item():
    item = make_exam(2).items.first()
    item.prompt = "ÉTÉ à 100%_\\ ΑΘΗΝΑ"
    item.save()
    return item


@pytest.mark.parametrize("words", ["été", "Été À", "100%_\\", "αθηνα", "ÉTÉ à 100%_\\ ΑΘΗΝΑ"])
def test_a_text_is_found_whatever_the_case_of_its_letters(item, words):
    assert EvalItem.objects.filter(prompt__says=words).get() == item
    assert EvalItem.objects.with_words(words).get() == item


@pytest.mark.parametrize("words", ["ete", "100%%", "1_0", "été_", "%"])
def test_signs_stand_for_themselves_and_accents_count(item, words):
    found = EvalItem.objects.filter(prompt__says=words)
    assert list(found) == ([item] if words == "%" else [])


def test_runs_and_answers_are_found_so_too(run):
    Run.objects.filter(pk=run.pk).update(name="Größe")
    assert Run.objects.called("GRÖ").get() == run
    assert not Run.objects.called("gro").exists()
    assert not Prediction.objects.saying("É").exists()
