import re

import pytest

from tests.training.problem_making import digest, make_traces, reasons
from training.problems import PROBLEMS

STORY = (
    "Mia has 12 cards. Mia is 9 years old. Mia buys 3 boxes of 6 cards each. Omar finds 7 more cards. "
    "Mia shares the cards equally among 2 people and keeps one share. Then Mia buys 4 shells. "
    "How many cards are left with Mia?"
)
RIGHT = ["buys boxes: 3 × 6 = 18, 12 + 18 = 30", "one share: 30 ÷ 2 = 15"]


def retold(prompt: str) -> int:
    """The answer to a story by a reading of our own: the verb says what to do with the numbers of the sentence."""
    *sentences, question = prompt.split(". ")
    who, what = re.search(r"does (\w+) have", question), re.search(r"How many (\w+)", question)
    name, things = (who or re.search(r"left with (\w+)", question))[1], what[1]
    total = 0
    for sentence in sentences:
        numbers = [int(number) for number in re.findall(r"\d+", sentence)]
        if name not in sentence.split() or things not in sentence.split():
            continue
        if "times" in sentence:
            total *= numbers[0]
        elif "equal" in sentence:
            assert total % numbers[0] == 0
            total //= numbers[0]
        else:
            amount = numbers[0] * (numbers[1] if len(numbers) == 2 else 1)
            total += -amount if re.search("loses|sells|gives", sentence) else amount
        assert total > 0
    return total


@pytest.mark.parametrize("difficulty", [1, 3, 10])
def test_the_answer_is_what_the_story_tells(difficulty):
    for trace in make_traces("word_problems", difficulty=difficulty):
        assert trace["final_answer"] == str(retold(trace["prompt"]))
        assert len(trace["steps"]) == difficulty


@pytest.mark.parametrize(("difficulty", "distractors"), [(1, 1), (3, 2), (10, 5)])
def test_a_harder_story_distracts_more(difficulty, distractors):
    for trace in make_traces("word_problems", count=50, difficulty=difficulty):
        assert len(re.split(r"(?<=\.) ", trace["prompt"])) == 1 + difficulty + distractors + 1


def test_the_stories_are_told_in_many_ways():
    shapes = {re.sub(r"\d+|[A-Z][a-z]+", "_", trace["prompt"]) for trace in make_traces("word_problems", count=500)}
    assert len(shapes) > 490


def test_what_happens_to_others_and_to_other_things_does_not_count():
    assert reasons("word_problems", STORY, *RIGHT) == ["", ""]
    assert retold(STORY) == 15


def test_names_things_words_and_distractions_are_dress():
    group = PROBLEMS["word_problems"].group
    twin = (
        "At first Ben owns 12 shells. Ben gets 3 bags with 6 shells each. The shop opens at 9 in the morning. "
        "Ben sorts the shells into 2 equal piles and keeps one pile. How many shells does Ben have now?"
    )
    assert group(STORY) == group(twin)
    assert group(STORY) != group(twin.replace("12", "13"))
    assert group(STORY) != group(twin.replace("3 bags", "4 bags"))
    assert group(STORY) != group(twin.replace("gets 3 bags with 6 shells each", "gives 6 shells to each of 3 friends"))


@pytest.mark.parametrize(
    "prompt",
    [
        STORY.replace("Mia is 9 years old.", "Mia eats 3 cards."),
        STORY.replace("cards are left", "shells are left"),
        STORY.replace("among 2 people", "among 0 people"),
        "How many cards are left with Mia?",
    ],
)
def test_a_story_of_another_kind_is_none_of_ours(prompt):
    assert PROBLEMS["word_problems"].group(prompt) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("3 × 6 = 18, 12 + 18 = 30", ""),
        ("In three boxes of six: 3×6=18, 12+18=30", ""),
        ("buys boxes: 3 × 6 = 18, 9 + 18 = 27", "continues from 9, but the number before is 12"),
        ("buys boxes: 3 × 7 = 21, 12 + 21 = 33", "the story asks for 3 × 6 here, not 3 × 7"),
        ("buys boxes: 3 × 6 = 19, 12 + 19 = 31", "3 × 6 is 18, not 19"),
        ("buys boxes: 3 × 6 = 18, 12 - 18 = 6", "the story asks for 12 + 18 here, not 12 - 18"),
        ("buys boxes: 3 × 6 = 18, 12 + 18 = 31", "12 + 18 is 30, not 31"),
        ("buys boxes: 12 + 18 = 30", "the story asks for 3 × 6 here, not 12 + 18"),
        ("She buys 3 boxes: 3 × 6 = 18, 12 + 18 = 30", "is not of the form words: a + b = c"),
        ("about thirty", "is not of the form words: a + b = c"),
    ],
)
def test_a_step_is_judged_with_a_reason(content, reason):
    assert reasons("word_problems", STORY, content)[0] == reason


def test_a_division_with_a_rest_is_never_right():
    assert reasons("word_problems", STORY, "buys boxes: 3 × 6 = 18, 12 + 18 = 31", "one share: 31 ÷ 2 = 15") == [
        "12 + 18 is 30, not 31",
        "31 ÷ 2 is 31/2, not 15",
    ]


def test_the_rows_of_a_seed_never_change():
    assert digest("word_problems") == "76f8eb3347cfe55003e3c5c01c7a645617630064022a700765ecb80a389a0ca2"
