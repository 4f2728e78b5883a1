"""Encoding piece by piece gives what the backend gives for the whole text."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.pieces import KEPT, OTHER_SPACE, PIECE, Pieces
from training.tokenizer import Tokenizer

CHARACTERS = st.characters(exclude_categories=["Cs"])
WORDS = [
    "a",
    "b",
    "'s",
    "'ll",
    "1",
    "23",
    "½",
    "²",
    "é",
    "e\u0301",
    "٣",
    "中",
    "一",
    "Ⅷ",
    "😀",
    "<end_of_turn>",
    "<pad>",
]
MARKS = ["'", "’", "!!", ".", "-", "_", "\u200b", "\u180e", "\ufeff", "\0", "\x1c", "\x1f", "\x7f"]
SPACES = [" ", "  ", "\n", "\t", "\x0b", "\xa0", "\u2028", "\x85"]
AWKWARD = [*WORDS, *MARKS, *SPACES]
TEXTS = st.text(CHARACTERS) | st.lists(st.sampled_from(AWKWARD), max_size=12).map("".join)
# White space and marks in runs of every length become tokens of their own, so that a wrong cut shows.
TOKENIZER = Tokenizer.train(["".join(char * n for char in " \t\n.é中" for n in (1, 2, 3, 4))] * 3, 400)
BACKEND = TOKENIZER._backend


@given(TEXTS)
def test_the_tokens_are_the_backends(text):
    assert ids(Pieces(BACKEND), text) == backend_ids(text)


@given(st.lists(TEXTS, max_size=8))
def test_what_was_encoded_before_makes_no_difference(texts):
    pieces = Pieces(BACKEND)
    assert [ids(pieces, text) for text in (*texts, *texts)] == 2 * [backend_ids(text) for text in texts]


@given(TEXTS.filter(lambda text: not OTHER_SPACE.search(text)))
def test_a_piece_ends_where_the_pre_tokenizer_cuts(text):
    assert [cut for piece in PIECE.findall(text) for cut in cuts(piece)] == cuts(text)


@pytest.mark.slow
def test_no_character_is_an_exception():
    pieces = Pieces(BACKEND)
    for char in filter(is_assigned, map(chr, range(0x110000))):
        text = f"a  {char}  1{char} b {char}a{char} "
        assert ids(pieces, text) == backend_ids(text)


def test_what_is_kept_is_bounded():
    pieces = Pieces(BACKEND)
    for number in range(KEPT + 10):
        pieces._words[str(number)] = b""
    pieces.encode("one two three")
    pieces.encode("and " + "long" * 100)
    assert len(pieces._words) == 2  # "two" and "three": "long…" is too long


def ids(pieces: Pieces, text: str) -> list[int]:
    return np.frombuffer(pieces.encode(text), np.int32).tolist()


def backend_ids(text: str) -> list[int]:
    return BACKEND.encode(text, add_special_tokens=False).ids


def cuts(text: str) -> list[str]:
    return [cut for cut, _ in BACKEND.pre_tokenizer.pre_tokenize_str(text)]


def is_assigned(char: str) -> bool:
    return unicodedata.category(char) not in ("Cn", "Co", "Cs")
