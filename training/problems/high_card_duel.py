"""The odds of a High Card Duel: two players hold one card each, the higher rank wins, equal ranks tie.

The rules are UNGAR's (m-cahill/ungar, `games/high_card_duel.py`): 52 cards, ace high, suits do not count. A card is
rank and suit, `9H`. The unseen cards that lose to the held one are counted rank by rank; a step adds the cards of one
rank to the count so far. The answer is winning over unseen cards, not reduced: both numbers are counts.
"""

import re
from collections.abc import Sequence
from random import Random

from training.problems.problem import Problem, StepCheck, Worked

RANKS = "23456789TJQKA"  # from low to high
SUITS = "SHDC"
DECK = tuple(rank + suit for rank in RANKS for suit in SUITS)
RULES = "High Card Duel, 52 cards, ace high, equal ranks tie."
QUESTION = "What is the chance that you win?"
CARD = f"[{RANKS}][{SUITS}]"
PROMPT = re.compile(rf"{re.escape(RULES)} You hold ({CARD})\.(?: Seen: ({CARD}(?: {CARD})*)\.)? {re.escape(QUESTION)}")
COUNT = re.compile(rf"\s*([{RANKS}]):\s*([0-9]{{1,4}})\s*\+\s*([0-9]{{1,4}})\s*=\s*([0-9]{{1,4}})\s*")
CHANCE = re.compile(
    r"\s*Unseen:\s*([0-9]{1,4})\s*-\s*([0-9]{1,4})\s*=\s*([0-9]{1,4}),\s*chance\s+([0-9]{1,4})\s*/\s*([0-9]{1,4})\s*"
)


def generate(rng: Random, difficulty: int) -> Worked:
    """A held card and `difficulty` other cards that were seen."""
    held, *seen = rng.sample(DECK, 1 + difficulty)
    return worked(held, seen)


def worked(held: str, seen: Sequence[str] = ()) -> Worked:
    """The question for a held card and the other cards seen, with its counting."""
    told = f" Seen: {' '.join(seen)}." if seen else ""
    total, steps = 0, []
    for rank in lower_ranks(held):
        count = unseen_of(rank, seen)
        steps.append(f"{rank}: {total}+{count}={total + count}")
        total += count
    known = 1 + len(seen)
    chance = f"{total}/{len(DECK) - known}"
    steps.append(f"Unseen: {len(DECK)}-{known}={len(DECK) - known}, chance {chance}")
    return Worked(f"{RULES} You hold {held}.{told} {QUESTION}", steps, chance)


def lower_ranks(held: str) -> str:
    """The ranks that lose to the held card, from the lowest."""
    return RANKS[: RANKS.index(held[0])]


def unseen_of(rank: str, seen: Sequence[str]) -> int:
    """How many cards of a rank other than the held one's nobody has shown."""
    return len(SUITS) - sum(card[0] == rank for card in seen)


def check(payload: dict) -> list[StepCheck]:
    """Each step must count the rank at its place onto the count written before it; the last one makes the fraction."""
    cards = _cards(payload["prompt"])
    asked = [*lower_ranks(cards[0]), ""] if cards else []
    before: str | None = "0"
    checks = []
    for index, step in enumerate(payload["steps"]):
        count = COUNT.fullmatch(step["content"])
        if index >= len(asked):
            reason = "there is no rank left to count here"
        elif asked[index]:
            reason = _count_fault(count, asked[index], unseen_of(asked[index], cards[1:]), before)
        else:
            reason = _chance_fault(CHANCE.fullmatch(step["content"]), len(cards), before)
        checks.append(StepCheck(step["i"], not reason, reason))
        before = count[4] if count else None
    return checks


def group(prompt: str) -> str | None:
    """The ranks held and seen: suits and the order of the seen cards change nothing."""
    cards = _cards(prompt)
    return " ".join((cards[0][0], *sorted(card[0] for card in cards[1:]))) if cards else None


def _cards(prompt: str) -> list[str]:
    """The held card and then those seen; none for another prompt or when a card is named twice."""
    problem = PROMPT.fullmatch(prompt)
    cards = [problem[1], *(problem[2] or "").split()] if problem else []
    return cards if len(set(cards)) == len(cards) else []


def _count_fault(match: re.Match[str] | None, rank: str, unseen: int, before: str | None) -> str:
    """Why the step that counts `rank` is wrong, or "". `before` is None when the step before could not be read."""
    if match is None:
        return f"is not of the form {rank}: count so far+{unseen}=new count"
    counted, total, added, result = match.groups()
    if counted != rank:
        return f"the rank to count here is {rank}, not {counted}"
    if before is not None and total != before:
        return f"continues from {total}, but the count before is {before}"
    if added != str(unseen):
        return f"{unseen} cards of rank {rank} are unseen, not {added}"
    right = int(total) + unseen
    return "" if result == str(right) else f"{total}+{added} is {right}, not {result}"


def _chance_fault(match: re.Match[str] | None, known: int, before: str | None) -> str:
    """Why the step that makes the fraction is wrong, or ""."""
    if match is None:
        return "is not of the form Unseen: 52-known=unseen, chance winning/unseen"
    deck, seen, unseen, winning, all_unseen = match.groups()
    right = str(len(DECK) - known)
    if (deck, seen) != (str(len(DECK)), str(known)):
        return f"{len(DECK)} cards and {known} known ones make {len(DECK)}-{known}, not {deck}-{seen}"
    if unseen != right or all_unseen != right:
        return f"{right} cards are unseen, not {unseen if unseen != right else all_unseen}"
    return "" if before in (None, winning) else f"the cards counted before are {before}, not {winning}"


PROBLEM = Problem(
    name="high_card_duel",
    title="The odds of a High Card Duel",
    description="The chance that a held card beats an unseen one, with K other cards seen, counted rank by rank.",
    default_difficulty=4,
    difficulty_range=(0, 20),
    generate=generate,
    check=check,
    group=group,
)
