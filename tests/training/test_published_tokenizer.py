import json

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models

from tests.training.gemma_tokenizer import IMAGE, LINES, gemma_tokenizer
from tests.training.test_tokenizer import ROWS
from training.errors import Invalid
from training.renderers import ANSWER_ONLY, TRACE_SFT, render_prompt, render_response
from training.tokenizer import SPECIAL_TOKENS, Tokenizer, training_texts

BACKEND = gemma_tokenizer(training_texts(ROWS, "Show your work"))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    file = tmp_path_factory.mktemp("published") / "tokenizer.json"
    BACKEND.save(str(file))
    return Tokenizer.load(file)


def test_control_tokens_have_their_published_ids(tokenizer):
    assert (tokenizer.pad_id, tokenizer.eos_id, tokenizer.bos_id, tokenizer.unk_id) == (0, 1, 2, 3)
    assert (tokenizer.start_of_turn_id, tokenizer.end_of_turn_id) == (105, 106)


def test_a_row_is_its_turns_and_comes_back(tokenizer):
    row = ROWS[5] | {"prompt": "Is 5 > 3?  é 日\n\nyes"}
    ids, prompt_length = tokenizer.encode_row(row, TRACE_SFT, "Show your work")
    assert ids[:prompt_length].tolist() == tokenizer.encode_prompt(row["prompt"], "Show your work")
    assert (ids[0], ids[-1]) == (tokenizer.bos_id, tokenizer.end_of_turn_id)
    text = render_prompt(row["prompt"], "Show your work") + render_response(row, TRACE_SFT)
    assert tokenizer.decode(ids.tolist()) == f"<bos>{text}"
    assert b"".join(map(tokenizer.token_bytes, ids.tolist())) == f"<bos>{text}".encode()


def test_turn_tokens_within_text_are_text(tokenizer):
    ids = tokenizer.encode_response(ROWS[0] | {"final_answer": "<end_of_turn><bos>"}, ANSWER_ONLY)
    assert (ids.count(tokenizer.end_of_turn_id), ids.count(tokenizer.bos_id)) == (1, 0)


def test_lines_are_single_tokens_as_published(tokenizer):
    assert tokenizer.encode_prompt("a\n\n\nb", "").count(BACKEND.token_to_id(LINES[2])) == 1


def test_the_token_of_images_needs_no_row(tokenizer):
    assert tokenizer.vocab_size == BACKEND.token_to_id(IMAGE) == BACKEND.get_vocab_size() - 1


def test_a_saved_copy_encodes_alike(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    again = Tokenizer.load(tmp_path / "tokenizer.json")
    assert again.encode_prompt("7 é <pad>", "Add") == tokenizer.encode_prompt("7 é <pad>", "Add")


def test_nothing_in_a_file_cuts_pads_or_varies_the_rows(tokenizer, tmp_path):
    limited = Backend.from_str(BACKEND.to_str())
    limited.enable_truncation(3)
    limited.enable_padding(length=9)
    limited.model.dropout = 0.9
    limited.save(str(tmp_path / "tokenizer.json"))
    assert json.loads((tmp_path / "tokenizer.json").read_text())["truncation"]
    for row in ROWS[:5]:
        ids, _ = Tokenizer.load(tmp_path / "tokenizer.json").encode_row(row, TRACE_SFT, "Show your work")
        assert ids.tolist() == tokenizer.encode_row(row, TRACE_SFT, "Show your work")[0].tolist()


def test_a_tokenizer_that_fails_on_unknown_characters_only_is_refused(tmp_path):
    text = BACKEND.to_str().replace('"unk_token":"<unk>"', '"unk_token":"nope"').replace("<0xC3>", "<byte>")
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(Invalid, match="is no tokenizer: Unk token `nope` not found"):
        Tokenizer.load(tmp_path / "tokenizer.json")


@pytest.mark.parametrize(
    ("old", "new"),
    [("<end_of_turn>", "<end_of_talk>"), ('"special":true', '"special":false'), ('fallback":true', 'fallback":false')],
)
def test_a_tokenizer_of_another_construction_is_refused(old, new, tmp_path):
    text = BACKEND.to_str()
    assert old in text
    (tmp_path / "tokenizer.json").write_text(text.replace(old, new))
    with pytest.raises(Invalid, match="lacks the turn tokens"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_a_tokenizer_of_whole_words_is_refused(tmp_path):
    words = Backend(models.WordLevel({token: i for i, token in enumerate(SPECIAL_TOKENS)}, unk_token="<unk>"))
    words.add_special_tokens(list(SPECIAL_TOKENS))
    words.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(Invalid, match="no byte-pair tokenizer"):
        Tokenizer.load(tmp_path / "tokenizer.json")
