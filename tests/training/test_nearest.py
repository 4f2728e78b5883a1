"""The rows most like a question, held against BM25 written down plainly."""

import math
from collections import Counter
from random import Random

import pytest

from training.nearest import COMMON, K1, MAX_CHARACTERS, RUNS, SAMPLE, B, nearest
from training.ngrams import spoken_words
from training.problems import generate_traces


def terms_of(text: str) -> Counter:
    words = spoken_words(text)
    return Counter(tuple(words[at : at + n]) for n in RUNS for at in range(len(words) - n + 1))


def plain(question: str, texts: list[str]) -> list[float]:
    """The same by loops over words, without a hash."""
    asked, rows = terms_of(question), [terms_of(text) for text in texts]
    lengths = [len(spoken_words(text)) for text in texts]
    average = max(1, sum(lengths)) / len(texts)
    having = {term: sum(term in row for row in rows) for term in asked}
    rarity = {term: math.log1p((len(texts) - n + 0.5) / (n + 0.5)) for term, n in having.items()}

    def score(row: Counter, length: int) -> float:
        norm = K1 * (1 - B + B * length / average)
        shared = ((rarity[term] * asked[term], row[term]) for term in asked if row[term])
        return sum(weight * count * (K1 + 1) / (count + norm) for weight, count in shared)

    own = score(asked, len(spoken_words(question)))
    return [score(row, length) / own for row, length in zip(rows, lengths, strict=True)]


def in_pieces(texts: list[str], size: int = 7):
    return (texts[at : at + size] for at in range(0, len(texts), size))


def test_the_scores_are_those_of_bm25():
    rng = Random(1)
    words = ["one", "two", "three", "4", "5.5", "+", "=", "sieben", "acht", "neun"]
    texts = [" ".join(rng.choices(words, k=rng.randrange(0, 30))) for _ in range(300)]
    for question in ("one two three 4 + 5.5", "acht acht neun", texts[17]):
        expected = plain(question, texts)
        found = nearest(question, in_pieces(texts), len(texts))
        assert {near.place for near in found} == {place for place, score in enumerate(expected) if score > 0}
        for near in found:
            assert near.score == pytest.approx(expected[near.place], rel=1e-9)
        assert found == sorted(found, key=lambda near: (-near.score, near.place))


def test_the_question_itself_comes_first_and_scores_one():
    texts = [trace["prompt"] for trace in generate_traces("chain", count=200, seed=1)]
    best, second = nearest(texts[120], in_pieces(texts), 2)
    assert best.place == 120
    assert best.score == pytest.approx(1, abs=0.02)
    assert second.score < 0.8


def test_of_generated_problems_the_longest_shared_run_wins_not_the_shared_words():
    question = "Start at 7. Then ×9 +2 ×3 +1 +7 +7 +9 +8. Keep the last digit."
    same_words = "Start at 7. Then +1 ×3 +7 +9 +2 +8 ×9 +7. Keep the last digit."
    same_run = "Start at 2. Then ×9 +2 ×3 +1 +4 +6 +5 +3. Keep the last digit."
    others = [trace["prompt"] for trace in generate_traces("chain", count=300, seed=2, difficulty=8)]
    found = nearest(question, [[same_words, same_run, *others]], 2)
    assert found[0].place == 1


def test_case_spelling_and_signs_that_pace_a_sentence_make_no_difference():
    texts = ["HOW MANY apples are 1,000 apples?!", "How many pears are 20 pears?"]
    assert nearest("How many apples are 1000 apples", [texts], 1)[0].place == 0


def test_of_equals_the_earlier_comes_first():
    texts = ["nothing", "the same words", "else", "the same words", "the same words"]
    assert [near.place for near in nearest("the same words", in_pieces(texts, 2), 2)] == [1, 3]


def test_rows_are_found_alike_in_pieces_of_any_size():
    texts = [trace["prompt"] for trace in generate_traces("word_problems", count=400, seed=3)]
    answers = [nearest(texts[5], in_pieces(texts, size), 10) for size in (1, 13, 400)]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("question", ["", " \n", "?", "\ud800", "words that no row has"])
def test_a_question_that_shares_nothing_has_no_nearest_row(question):
    assert nearest(question, [["one two", ""], ["three"]], 5) == []


def test_no_rows_are_no_answer():
    assert nearest("one", [], 5) == []
    assert nearest("one", [[""], []], 5) == []


def test_in_a_large_set_what_most_rows_have_is_not_counted():
    texts = [f"the number {place}" for place in range(2 * SAMPLE)]
    assert COMMON < 1
    assert [near.place for near in nearest("the number 9123", in_pieces(texts, 500), 5)] == [9123]


def test_of_a_very_long_row_the_beginning_speaks():
    beginning = "sheep " * (MAX_CHARACTERS // 6)
    assert nearest("goat", [[beginning + "goat", "goat"]], 5) == nearest("goat", [[beginning, "goat"]], 5)
