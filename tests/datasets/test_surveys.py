"""The figures of a build: of what is written in its rows, and of the tokens they are taught as."""

import pytest

from datasets_app.gates import Taught
from datasets_app.rows import row_of
from datasets_app.surveys import ContentSurvey, TokenSurvey
from tests.factories import make_payload
from training.packing import encode_example
from training.renderers import TRACE_SFT
from training.tokenizer import Tokenizer, training_texts


def rows_of(*payloads, split="train"):
    return [row_of(f"id-{number}", split, payload) for number, payload in enumerate(payloads)]


def content(rows, chunk=1):
    survey = ContentSurvey()
    for start in range(0, len(rows), chunk):
        survey.add(rows[start : start + chunk])
    return survey


def tokens(rows, max_length=256):
    taught = Taught(TRACE_SFT, "Add", max_length, Tokenizer.train(training_texts(rows, "Add"), 300))
    survey = TokenSurvey(taught)
    survey.add(rows)
    return survey.stats()


def lengths(rows):
    """Tokens of each row and of its prompt, as training sees it."""
    tokenizer = Tokenizer.train(training_texts(rows, "Add"), 300)
    examples = [encode_example(tokenizer, row, recipe=TRACE_SFT, instruction="Add") for row in rows]
    return [len(example.tokens) for example in examples], [example.prompt_length for example in examples]


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_lengths_and_sources_are_measured(chunk):
    rows = rows_of(
        make_payload("ab", steps=["x", "xyz"], final_answer="1", meta={"source": "b"}),
        make_payload("abcd", steps=["x"], final_answer="12", meta={"source": 7}),
        make_payload("abc", steps=["x"], final_answer="1", meta={"source": "b"}),
    )
    stats = content(rows, chunk).stats()
    assert stats["sources"] == [{"source": "b", "rows": 2}, {"source": "", "rows": 1}]
    assert stats["rows_of_other_sources"] == 0
    assert stats["steps"] == {"min": 1, "mean": 1.3, "max": 2}
    assert stats["characters"] == {
        "prompt": {"min": 2, "mean": 3.0, "max": 4},
        "step": {"min": 1, "mean": 1.5, "max": 3},
        "final_answer": {"min": 1, "mean": 1.3, "max": 2},
    }
    assert stats["histograms"]["steps"] == [{"low": 1, "high": 1, "rows": 2}, {"low": 2, "high": 2, "rows": 1}]
    assert sum(part["rows"] for part in stats["histograms"]["characters"]) == 3


def test_rare_sources_are_counted_together():
    payloads = [make_payload(meta={"source": f"s{number:03}"}) for number in range(130)]
    stats = content(rows_of(*payloads), chunk=50).stats()
    assert (len(stats["sources"]), stats["rows_of_other_sources"]) == (100, 30)


@pytest.mark.parametrize("splits", [[], ["train"], ["valid", "test", "train", "train"]])
def test_every_split_is_counted(splits):
    counts = content([row_of("a", split, make_payload()) for split in splits]).splits()
    assert counts.pop("rule").startswith("SHA-256")
    assert counts == {name: splits.count(name) for name in ("train", "valid", "test")}


def test_tokens_are_those_that_training_counts():
    rows = rows_of(*(make_payload(f"What is {n}?", steps=n % 4 + 1) for n in range(40)))
    whole, prompts = lengths(rows)
    stats = tokens(rows)
    assert stats["total"] == sum(whole)
    assert stats["trained"] == sum(whole) - sum(prompts)
    assert (stats["row"]["min"], stats["row"]["max"]) == (min(whole), max(whole))
    assert (stats["prompt"]["min"], stats["prompt"]["max"]) == (min(prompts), max(prompts))
    assert sum(part["rows"] for part in stats["histogram"]) == stats["rows_that_fit"] == 40


def test_only_train_rows_that_fit_are_trained():
    rows = rows_of(make_payload(steps=1), make_payload(steps=60)) + rows_of(make_payload(), split="test")
    whole, prompts = lengths(rows)
    stats = tokens(rows, max_length=whole[0] - 1)
    assert stats["rows_that_fit"] == 1
    assert stats["trained"] == whole[0] - prompts[0]
    assert stats["epoch"] == {"rows": 1, "sequences": 1, "fill": 1.0, "batch_size": 16, "updates": 1}


def test_an_epoch_of_nothing_has_no_fill():
    assert tokens(rows_of(make_payload(), split="test"))["epoch"]["fill"] is None


def test_an_epoch_packs_short_rows_together():
    rows = rows_of(*[make_payload(steps=1)] * 100)
    whole, _ = lengths(rows)
    epoch = tokens(rows, max_length=3 * (whole[0] - 1))["epoch"]
    assert epoch == {"rows": 100, "sequences": 34, "fill": round(100 / 102, 4), "batch_size": 16, "updates": 3}
