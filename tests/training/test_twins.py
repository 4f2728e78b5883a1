from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import make_payload
from training.problems import PROBLEMS, generate_traces
from training.twins import BANDS, MAX_WORDS, THRESHOLD, Likeness, bands_of, problem_key, words_of

texts = st.text(min_size=1, max_size=60).filter(lambda text: not text.isspace())
payloads = st.builds(
    lambda prompt, steps, answer: make_payload(prompt, steps=steps, final_answer=answer),
    texts,
    st.lists(texts, min_size=1, max_size=4),
    texts,
)


def likeness(*words: str) -> Likeness:
    return Likeness.of(make_payload(words[0], steps=[" ".join(words[1:-1])], final_answer=words[-1]))


def story(count: int, changed: int = 0, about: int = 0) -> dict:
    """A text of so many words about something, of which some, far from each other, are changed."""
    words = [f"word{about}_{i}" for i in range(count)]
    for place in range(changed):
        words[5 + 10 * place] = f"changed{place}"
    return make_payload("Tell it.", steps=[" ".join(words)], final_answer="End")


def test_similarity_is_the_share_of_common_n_grams():
    one, other = likeness(*"abcdef"), likeness(*"abcdxy")
    assert one.similarity(one) == 1
    assert one.similarity(other) == other.similarity(one) == 2 / 6  # abc, bcd of abc, bcd, cde, def, cdx, dxy
    assert likeness(*"abc").similarity(likeness(*"xyz")) == 0


def test_case_spacing_and_spelling_of_unicode_make_no_difference():
    one = Likeness.of(make_payload("Wie  viel? ﬁne"))
    assert one == Likeness.of(make_payload("wie viel ?\nFINE"))
    assert bands_of(make_payload("Wie  viel? ﬁne")) == bands_of(make_payload("wie viel ?\nFINE"))


def test_a_number_is_one_word():
    assert words_of(make_payload("It costs $1,250.75 or 3x.", steps=["a_b"], final_answer="7")) == [
        *("it", "costs", "$", "1,250.75", "or", "3", "x", "."),
        *("a_b", "7"),
    ]


@pytest.mark.parametrize("text", ["7", "_", "?", "\u200b", "a b"])
def test_short_texts_are_compared_too(text):
    one = make_payload(text, steps=["x"], final_answer="y")
    assert Likeness.of(one).is_twin(Likeness.of(one))
    assert not Likeness.of(one).is_twin(Likeness.of(make_payload("other", steps=["z"], final_answer="w")))
    assert len(bands_of(one)) == BANDS


@settings(max_examples=200, deadline=None)
@given(payload=payloads)
def test_any_trace_has_bands_that_a_database_can_store(payload):
    bands = bands_of(payload)
    assert len(bands) == BANDS
    assert all(isinstance(band, int) and -(2**63) <= band < 2**63 for band in bands)
    assert bands == bands_of(payload)
    assert Likeness.of(payload).similarity(Likeness.of(payload)) == 1


def test_bands_are_the_same_on_every_machine():
    assert bands_of(make_payload())[:2] == [373705352799271256, -349166427429005584]


def test_similar_texts_share_a_band_and_others_seldom_do():
    found = dict.fromkeys((1, 3, 20), 0)
    for changed in found:
        for index in range(100):
            one, other = story(200, about=index), story(200, changed, about=index)
            found[changed] += bool(set(bands_of(one)) & set(bands_of(other)))
    assert found[1] == 100  # similarity 0.97
    assert found[3] >= 95  # 0.92
    assert found[20] < 75  # 0.55


def test_the_estimate_follows_the_similarity():
    from training.twins import _minima

    one, other = story(300), story(300, 10)
    shares = np.mean(_minima(words_of(one)) == _minima(words_of(other)))
    assert abs(shares - Likeness.of(one).similarity(Likeness.of(other))) < 0.2


def test_twins_are_at_least_so_similar():
    for changed in range(12):
        one, other = Likeness.of(story(100)), Likeness.of(story(100, min(changed, 9)))
        assert one.is_twin(other) == (one.similarity(other) >= THRESHOLD)


def test_of_a_long_text_the_beginning_is_compared():
    long = make_payload("a", steps=["b c d " * 6000], final_answer="e")
    assert len(words_of(long)) == MAX_WORDS
    assert len(bands_of(long)) == BANDS


@pytest.mark.parametrize("name", PROBLEMS)
def test_generated_problems_are_twins_only_when_they_are_the_same_problem(name):
    traces = list(generate_traces(name, count=60, seed=3))
    keyed = [trace for trace in traces if problem_key(trace)]
    for one in keyed:
        assert len(bands_of(one)) == 1
    for one, other in pairwise(keyed):
        same = problem_key(one) == problem_key(other)
        assert Likeness.of(one).is_twin(Likeness.of(other)) == same
        assert (bands_of(one) == bands_of(other)) == same


def test_a_generated_problem_and_a_text_like_it_are_no_twins():
    (trace,) = generate_traces("addition", count=1, seed=3)
    copy = trace | {"meta": None}
    assert not Likeness.of(trace).is_twin(Likeness.of(copy))
    assert not set(bands_of(trace)) & set(bands_of(copy))
