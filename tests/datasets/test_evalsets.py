"""Questions of splits and files."""

import json
from pathlib import Path

import pytest

from datasets_app import services
from datasets_app.models import EvalSet
from training.errors import Invalid
from training.evalsets import evalset_sha256, read_evalset
from training.files import file_sha256
from tunixrt.lib.errors import Rule

pytestmark = pytest.mark.django_db
GSM8K = Path(__file__).parent.parent / "fixtures" / "gsm8k_sample.jsonl"


def item(number: int, **fields) -> dict:
    return {
        "id": f"q{number}",
        "prompt": f"{number} + 1?",
        "expected_answer": str(number + 1),
        "category": "sum",
        "difficulty": "easy",
    } | fields


def write(path: Path, *rows) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def test_a_split_is_an_evalset_whose_file_database_and_hash_agree(user):
    dataset = services.seed_dataset(key="golden-v2")
    evalset = services.evalset_for(dataset, user)
    assert (evalset.dataset, evalset.split, evalset.item_count) == (dataset, "test", dataset.splits["test"])
    items = read_evalset(evalset.path)
    assert evalset.sha256 == evalset_sha256(items) == file_sha256(evalset.path)
    assert [row.item_id for row in evalset.items.all()] == [item["id"] for item in items]
    assert all(item["steps"] for item in items)


def test_the_same_items_are_the_same_row(user, tmp_path):
    first = services.evalset_from_file(path=write(tmp_path / "a", item(1), item(2)), name="a", by=user)
    other_spelling = '{"prompt":"1 + 1?","id":"q1",  "expected_answer":"2","difficulty":"easy","category":"sum"}'
    again = services.evalset_from_file(path=write(tmp_path / "b", other_spelling, item(2)), name="b", by=None)
    assert again == first
    assert EvalSet.objects.count() == 1


def test_a_lost_file_is_written_again():
    first = services.shipped_evalset(name="eval_v1", by=None)
    first.path.unlink()
    assert services.shipped_evalset(name="eval_v1", by=None) == first
    assert file_sha256(first.path) == first.sha256


def test_without_a_test_split_valid_is_asked_and_without_both_nothing(user):
    dataset = services.seed_dataset(key="golden-v2")
    dataset.splits["test"] = 0
    assert services.evalset_for(dataset, user).split == "valid"
    with pytest.raises(Rule, match="no rows in its test and valid"):
        services.evalset_for(services.seed_dataset(key="golden-v1"), user)
    with pytest.raises(Rule, match="no rows in its test split"):
        services.evalset_from_split(dataset=services.seed_dataset(key="golden-v1"), split="test")


def test_gsm8k_becomes_items_of_its_own_category():
    evalset = services.evalset_from_file(path=GSM8K, name="gsm8k", format="gsm8k", by=None)
    assert set(evalset.items.values_list("category", flat=True)) == {"gsm8k"}
    assert evalset.items.first().item_id == "gsm8k-1"
    assert "####" not in evalset.items.first().expected_answer


def test_every_fault_of_a_file_names_its_line_and_nothing_is_kept(tmp_path, home):
    path = write(tmp_path / "bad", item(1), item(1), item(3, expected_answer=""), "{", item(5, prompt=7))
    with pytest.raises(Invalid) as caught:
        services.evalset_from_file(path=path, name="bad", by=None)
    found = {(fault.line, fault.type) for fault in caught.value.faults}
    assert {(2, "duplicate_record"), (3, "empty"), (5, "wrong_type")} <= found
    assert any(line == 4 for line, _ in found)
    assert not EvalSet.objects.exists()
    assert not (home / "evalsets").exists()


def test_a_bad_line_of_traces_is_named(tmp_path):
    path = write(tmp_path / "bad", {"question": "1?", "answer": "x\n#### 1"}, {"question": "2?", "answer": "no end"})
    with pytest.raises(Invalid) as caught:
        services.evalset_from_file(path=path, name="bad", format="gsm8k", by=None)
    assert [fault.line for fault in caught.value.faults] == [2]


def test_what_a_model_answered_is_no_reference_to_examine_with(tmp_path):
    path = write(tmp_path / "eval_after.jsonl")
    with pytest.raises(Invalid, match="must be one of evalset, trace"):
        services.evalset_from_file(path=path, name="answers", format="evaluation", by=None)


def test_an_empty_file_and_an_unknown_format_are_refused(tmp_path):
    for path, format in ((write(tmp_path / "empty"), "evalset"), (GSM8K, "csv")):
        with pytest.raises(Invalid):
            services.evalset_from_file(path=path, name="x", format=format, by=None)


def test_a_list_of_items_names_the_index_of_a_bad_one():
    with pytest.raises(Invalid) as caught:
        services.evalset_from_items(items=[item(1), item(2, category="")], name="x", by=None)
    assert caught.value.faults[0].loc == ("items", 1, "category")
    with pytest.raises(Invalid):
        services.evalset_from_items(items="x", name="x", by=None)
