"""One spelling of Unicode: what Python's own normalisation gives, without its square of the marks on one letter."""

import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traces import words
from training.judges import same_answer
from training.ngrams import words_of
from training.splits import normalise
from training.unicode import SHORT, nfkc

MARKS = "\u0301\u0323\u0344\u0f71\u0f73\u0f75\u0f81\u1ab0\u3099\uff9e\uff9f\u05b0"
CHARACTERS = st.sampled_from(MARKS + "aé1ạ \u1100\u1161\u11a8がカ½ﬁ") | st.characters(exclude_categories=["Cs"])


@given(st.text(CHARACTERS, min_size=1, max_size=60), st.integers(1, 40))
def test_long_and_short_texts_are_spelled_as_python_spells_them(text, times):
    long = text * times + "a" * SHORT
    assert nfkc(text) == unicodedata.normalize("NFKC", text)
    assert nfkc(long) == unicodedata.normalize("NFKC", long)


def test_every_character_that_has_another_spelling_is_spelled_alike_among_marks():
    every = (chr(code) for code in range(sys.maxunicode + 1))
    others = [char for char in every if unicodedata.combining(char) or unicodedata.normalize("NFKD", char) != char]
    assert len(others) > 15_000
    text = "".join(f"e\u0301{char}\u0323\u0301" for char in others)
    assert nfkc(text) == unicodedata.normalize("NFKC", text)


@pytest.mark.parametrize("pair", ["\u0301\u0323", "\u0f73", "\uff9e\u0301", "\u0344\u0323"])
def test_many_marks_on_one_letter_take_no_longer_than_as_many_letters(pair):
    marks = "a" + pair * (200_000 // len(pair))
    began = time.process_time()
    for read in (nfkc, words_of, normalise, lambda text: same_answer(text, "b"), lambda text: words.words_of([text])):
        read(marks)
    assert time.process_time() - began < 20  # the square of 200,000 takes minutes
