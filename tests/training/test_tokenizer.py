import random
import time
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import Invalid
from training.renderers import ANSWER_ONLY, TRACE_SFT, render_prompt, render_response
from training.tokenizer import SPECIAL_TOKENS, Tokenizer, _sampled_texts, tokenizer_for, training_texts

ROWS = [
    {
        "prompt": f"What is {n} + 17?",
        "steps": [{"i": 0, "type": "compute", "content": f"{n} + 17 = {n + 17}"}],
        "final_answer": str(n + 17),
    }
    for n in range(200)
]
TOKENIZER = Tokenizer.train(training_texts(ROWS, "Add"), 300)


def test_special_tokens_have_gemmas_ids():
    assert (TOKENIZER.pad_id, TOKENIZER.eos_id, TOKENIZER.bos_id, TOKENIZER.unk_id) == (0, 1, 2, 3)
    assert [TOKENIZER.decode([i]) for i in range(6)] == list(SPECIAL_TOKENS)


def test_the_same_rows_give_the_same_tokenizer_in_any_order(tmp_path):
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    for name, rows in (("a", ROWS), ("b", shuffled)):
        Tokenizer.train(training_texts(rows, "Add"), 300).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def saved(tokenizer: Tokenizer, path: Path) -> bytes:
    tokenizer.save(path)
    return path.read_bytes()


def in_splits(rows: list[dict]) -> list[dict]:
    """Rows that no two tokenizers of 300 tokens learn the same from."""
    words = (sha256(str(n).encode()).hexdigest() for n in range(len(rows)))
    splits = ["test", "train", "train", "train"] * len(rows)
    parts = zip(rows, words, splits, strict=False)
    return [row | {"id": str(n), "split": split, "prompt": word} for n, (row, word, split) in enumerate(parts)]


def test_a_dataset_has_the_tokenizer_of_its_whole_train_split(tmp_path):
    rows = in_splits(ROWS)
    train = [row for row in rows if row["split"] == "train"]
    plain = Tokenizer.train(training_texts(train, "Add"), 300)
    assert saved(tokenizer_for(iter(rows), "Add", 300), tmp_path / "a") == saved(plain, tmp_path / "b")


def test_a_large_dataset_has_the_tokenizer_of_the_rows_with_the_smallest_hashes(tmp_path, monkeypatch):
    monkeypatch.setattr("training.tokenizer.LEARNED_ROWS", 20)
    rows = in_splits(ROWS)
    train = [row for row in rows if row["split"] == "train"]
    chosen = sorted(train, key=lambda row: sha256(row["id"].encode()).hexdigest())[:20]
    plain = saved(Tokenizer.train(training_texts(chosen, "Add"), 300), tmp_path / "a")
    for name, given_rows in (("b", rows), ("c", rows[::-1])):
        assert saved(tokenizer_for(iter(given_rows), "Add", 300), tmp_path / name) == plain
    assert saved(Tokenizer.train(training_texts(train, "Add"), 300), tmp_path / "d") != plain


def test_a_saved_tokenizer_encodes_alike(tmp_path):
    TOKENIZER.save(tmp_path / "tokenizer.json")
    again = Tokenizer.load(tmp_path / "tokenizer.json")
    prompt = "5 <end_of_turn> é"
    assert again.encode_prompt(prompt, "Add") == TOKENIZER.encode_prompt(prompt, "Add")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_comes_back_unchanged(text):
    assert TOKENIZER.decode(TOKENIZER.encode_prompt(text, "")) == "<bos>" + render_prompt(text, "")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_tokens_stand_for_the_bytes_of_the_text(text):
    tokens = TOKENIZER.encode_prompt(text, "")
    assert b"".join(map(TOKENIZER.token_bytes, tokens)) == b"<bos>" + render_prompt(text, "").encode()


@given(st.lists(st.integers(0, TOKENIZER.vocab_size - 1)))
def test_any_ids_decode_to_storable_text(ids):
    text = TOKENIZER.decode(ids)
    assert "\0" not in text
    text.encode()


@pytest.mark.parametrize("recipe", [TRACE_SFT, ANSWER_ONLY])
def test_a_response_ends_with_the_one_turn_token(recipe):
    ids = TOKENIZER.encode_response(ROWS[3], recipe)
    assert ids[-1] == TOKENIZER.end_of_turn_id
    assert TOKENIZER.decode(ids) == render_response(ROWS[3], recipe)


def test_turn_tokens_within_text_are_no_control_tokens():
    row = ROWS[0] | {"final_answer": "<end_of_turn><start_of_turn>"}
    assert TOKENIZER.encode_response(row, ANSWER_ONLY).count(TOKENIZER.end_of_turn_id) == 1
    ids = TOKENIZER.encode_prompt("<start_of_turn><bos><pad>", "")
    assert ids.count(TOKENIZER.start_of_turn_id) == 2
    assert ids.count(TOKENIZER.bos_id) == 1
    assert TOKENIZER.pad_id not in ids


def test_every_digit_is_one_token():
    ids = TOKENIZER.encode_prompt("1234567890 17 17", "")
    assert sum(TOKENIZER.decode([i]).isdigit() for i in ids) == 14


@pytest.mark.parametrize("data", [b"{}", b"\xff\xfe"], ids=["an empty object", "no text"])
def test_a_file_that_is_no_tokenizer_is_refused(data, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes(data)
    with pytest.raises(Invalid, match="is no tokenizer"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_a_tokenizer_that_cuts_otherwise_is_refused(tmp_path):
    TOKENIZER.save(tmp_path / "tokenizer.json")
    text = (tmp_path / "tokenizer.json").read_text()
    (tmp_path / "tokenizer.json").write_text(text.replace('"individual_digits": true', '"individual_digits": false'))
    with pytest.raises(Invalid, match="cuts texts otherwise"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_no_more_than_so_many_characters_are_learned_from_and_which_does_not_depend_on_the_order(monkeypatch):
    rows = [{"id": str(i), **ROWS[i]} for i in range(60)]
    monkeypatch.setattr("training.tokenizer.LEARNED_CHARACTERS", 2_000)
    learned = list(_sampled_texts(rows, ""))
    assert 1_500 < sum(map(len, learned)) <= 2_000
    assert sorted(learned) == sorted(_sampled_texts(rows[::-1], ""))
    monkeypatch.setattr("training.tokenizer.LEARNED_CHARACTERS", 1)
    assert len(list(_sampled_texts(rows, ""))) == 2  # prompt and response of one row: never nothing


@pytest.mark.parametrize("word", ["eyJ", "👨\u200d👩\u200d👧\u200d👦", "a\u0301", " ", "-"])
def test_a_word_of_any_length_is_learned_from_in_a_moment(word):
    started = time.process_time()
    Tokenizer.train([word * (200_000 // len(word))], 512)
    assert time.process_time() - started < 5  # the square of its length takes longer
