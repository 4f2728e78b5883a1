import re
from fractions import Fraction
from random import Random

import pytest

from tests.training.problem_making import digest, make_traces, reasons
from training.judges import number
from training.problems import PROBLEMS
from training.problems.high_card_duel import worked

RULES = "High Card Duel, 52 cards, ace high, equal ranks tie."
ORDER = "A23456789TJQK"  # UNGAR's; the ace, first here, beats all others


def cards_of(prompt: str) -> list[str]:
    return re.findall(r"\b[A2-9TJQK][SHDC]\b", prompt)


def value(card: str) -> int:
    return 99 if card[0] == "A" else ORDER.index(card[0])


@pytest.mark.parametrize("difficulty", [0, 4, 20])
def test_the_answer_is_the_share_of_unseen_cards_that_lose(difficulty):
    for trace in make_traces("high_card_duel", difficulty=difficulty):
        held, *seen = cards_of(trace["prompt"])
        assert len(seen) == difficulty
        unseen = {rank + suit for rank in ORDER for suit in "SHDC"} - {held, *seen}
        winning = sum(value(card) < value(held) for card in unseen)
        assert trace["final_answer"] == f"{winning}/{len(unseen)}"
        assert number(trace["final_answer"]) == Fraction(winning, len(unseen))


def test_only_the_ranks_below_the_held_one_are_counted():
    assert worked("4S", ["TS", "3D"]).steps == ["2: 0+4=4", "3: 4+3=7", "Unseen: 52-3=49, chance 7/49"]
    assert worked("2H").steps == ["Unseen: 52-1=51, chance 0/51"]
    assert len(worked("AH").steps) == 13
    assert worked("AH").final_answer == "48/51"


def test_suits_and_the_order_of_the_seen_cards_make_no_difference():
    group = PROBLEMS["high_card_duel"].group
    assert group(worked("9H", ["2S", "KD"]).prompt) == group(worked("9C", ["KS", "2D"]).prompt)
    assert group(worked("9H", ["2S", "KD"]).prompt) != group(worked("9H", ["2S", "QD"]).prompt)
    assert group(worked("9H", ["2S"]).prompt) != group(worked("2H", ["9S"]).prompt)
    assert group(worked("9H", ["9H"]).prompt) is None


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        (["2: 0+4=4", "3: 4+3=7", "Unseen: 52-3=49, chance 7/49"], ""),
        (["2: 0+4=4", "3: 4 + 3 = 7", "Unseen: 52 - 3 = 49, chance 7/49"], ""),
        (["2: 0+4=4", "4: 4+3=7"], "the rank to count here is 3, not 4"),
        (["2: 0+4=4", "3: 5+3=8"], "continues from 5, but the count before is 4"),
        (["2: 0+4=4", "3: 4+4=8"], "3 cards of rank 3 are unseen, not 4"),
        (["2: 0+4=4", "3: 4+3=8"], "4+3 is 7, not 8"),
        (["2: 0+4=4", "three"], "is not of the form 3: count so far+3=new count"),
        (["2: 0+4=4", "3: 4+3=7", "Unseen: 52-2=50, chance 7/50"], "52 cards and 3 known ones make 52-3, not 52-2"),
        (["2: 0+4=4", "3: 4+3=7", "Unseen: 52-3=48, chance 7/48"], "49 cards are unseen, not 48"),
        (["2: 0+4=4", "3: 4+3=7", "Unseen: 52-3=49, chance 7/48"], "49 cards are unseen, not 48"),
        (["2: 0+4=4", "3: 4+3=7", "Unseen: 52-3=49, chance 8/49"], "the cards counted before are 7, not 8"),
        (["2: 0+4=4", "3: 4+3=7", "1/7"], "is not of the form Unseen: 52-known=unseen, chance winning/unseen"),
    ],
)
def test_a_step_is_judged_with_a_reason(steps, reason):
    prompt = f"{RULES} You hold 4S. Seen: TS 3D. What is the chance that you win?"
    assert reasons("high_card_duel", prompt, *steps)[-1] == reason


def test_no_card_is_dealt_twice():
    generate = PROBLEMS["high_card_duel"].generate
    for seed in range(200):
        assert len(set(cards_of(generate(Random(seed), 20).prompt))) == 21


def test_the_rows_of_a_seed_never_change():
    assert digest("high_card_duel") == "b74cc774f92b59aef5542823dcdd2da44b5a44be6e09fa533575ff64f1a8b2ea"
