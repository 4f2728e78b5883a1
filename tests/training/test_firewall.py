"""What gives away what is asked is named, with item and kind; what only looks like it is not."""

import random
from itertools import product

import numpy as np
import pytest

from tests.training.leak_making import make_world
from training.firewall import KINDS, Asked, CommonGrams, Firewall, Leak, find_leaks, spans


def row(prompt: str, answer: str = "42", steps: tuple[str, ...] = (), **rest) -> dict:
    numbered = [{"i": i, "type": "think", "content": step} for i, step in enumerate(steps)]
    return {
        "id": "row",
        "split": "train",
        "prompt": prompt,
        "steps": numbered,
        "final_answer": answer,
        "meta": None,
    } | rest


def asked(prompt: str, answer: str = "42", steps: tuple[str, ...] = (), **rest) -> Asked:
    return Asked("eval", "item", prompt, answer, steps, **rest)


def kind(one: dict, item: Asked) -> str | None:
    leaks = Firewall([item]).check([one])
    assert len(leaks) < 2
    assert all((leak.row, leak.item, leak.source) == (one["id"], item.id, item.source) for leak in leaks)
    return leaks[0].kind if leaks else None


@pytest.mark.parametrize("seed", range(5))
def test_all_planted_leaks_are_named_and_no_decoy(seed):
    world = make_world(seed)
    common = CommonGrams(len(world.rows))
    common.add(world.rows)
    leaks = Firewall(world.asked, common).check(world.rows)
    assert {leak.row: (leak.item, leak.kind) for leak in leaks} == world.planted
    assert len(world.rows) == 2000
    assert len(world.decoys) >= 200
    assert {found for _, found in world.planted.values()} == set(KINDS) - {"overlap"}


FARM = (
    "A farmer has 12 cows and 7 goats in the barn and buys 5 more cows at the fair, "
    "how many animals are there on the farm now if 2 goats run away?"
)
RIVERS = ("Water that falls on the hills north of town runs into the Aller, and south of town into the Fulda.",)


@pytest.mark.parametrize(
    ("prompt", "answer", "item", "expected", "found"),
    [
        (FARM, "22", FARM, "22", "verbatim"),
        ("  what IS 1000 + 5 ?", "x", "What is 1,000 + 5?", "1,005", "normalised"),
        ("He said “where are you going”; why?", "x", 'He said "where are you going" - why', "x", "near"),
        ("...", "x", "…", "x", "normalised"),
        ("What is 4 + 12?", "16", "What is 12 + 4?", "16", "reordered"),
        (FARM.replace("12", "X").replace("7", "12").replace("X", "7"), "22 animals", FARM, "22", "reordered"),
        (f"How many are there? {FARM}", "x", f"{FARM} How many are there?", "22", "reordered"),
        (FARM.replace("barn", "stable"), "none of your business", FARM, "22", "near"),
        (FARM.replace("7 goats", "seven goats"), "22", FARM, "22", "near"),
        (f"Here is one more for you. {FARM} Think it through.", "22", FARM, "22", "overlap"),
        (FARM.replace("A farmer has", "Old MacDonald owns").replace("run away", "escape"), "22", FARM, "22", "overlap"),
        ("What is 48 + 37? Show your work.", "85", "What is 48 + 37?", "85", "overlap"),
        ("What is the capital city of France?", "Paris", "What is the capital of France?", "Paris", "near"),
        ("Which plnet is the largest of all?", "Jupiter", "Which planet is the largest of all?", "Jupiter", "near"),
    ],
)
def test_prompts_that_give_a_prompt_away(prompt, answer, item, expected, found):
    assert kind(row(prompt, answer), asked(item, expected)) == found


@pytest.mark.parametrize(
    ("prompt", "answer", "item", "expected"),
    [
        ("What is the capital of Spain?", "Madrid", "What is the capital of France?", "Paris"),
        ("How many sides does a dice have?", "6", "How many sides does a hexagon have?", "6"),
        ("Is 5 odd?", "Yes", "Is 5 prime?", "Yes"),
        ("Is 7 greater than 3?", "Yes", "Is 3 greater than 7?", "No"),
        ("Who wrote Macbeth?", "Shakespeare", "Who wrote Hamlet?", "Shakespeare"),
        ("Which planet of them all is the smallest?", "Mercury", "Which planet of them all is the largest?", "Jupiter"),
        ("What is 4 - 12?", "-8", "What is 12 - 4?", "8"),
        ("What is 12 + 4?", "16", "What is 12 - 4?", "8"),
        ("What is .5 + .5?", "1", "What is 5 + 5?", "10"),
        ("What is 5!?", "120", "What is 5?", "5"),
        ("What is (2 + 3) * 4?", "20", "What is 2 + (3 * 4)?", "14"),
        ("What is 48 + 37 + 12?", "97", "What is 48 + 37?", "85"),
        (FARM.replace("12", "13"), "23", FARM, "22"),
        (FARM.replace("12", "X").replace("2 goats", "12 goats").replace("X", "2"), "8", FARM, "22"),
        (FARM.replace("5 more", "nine more"), "22", FARM, "22"),
        ("A farmer has 12 cows and 7 goats in the barn; what colour is the barn?", "red", FARM, "22"),
        ("?!", "x", "!!", "x"),
        ("Hello", "x", "Hi", "x"),
    ],
)
def test_prompts_that_give_nothing_away(prompt, answer, item, expected):
    assert kind(row(prompt, answer), asked(item, expected)) is None


def test_an_answer_counts_when_it_says_something():
    cell = asked("What are mitochondria?", "The mitochondria are the powerhouse of the cell.")
    assert kind(row("Tell me!", "Well: the MITOCHONDRIA are the powerhouse of the cell, I think."), cell) == "answer"
    assert kind(row("Tell me!", steps=("The mitochondria are the powerhouse of the cell",)), cell) == "answer"
    assert kind(row("Tell me!", "The mitochondria are the powerhouse of a cell."), cell) is None
    assert kind(row("Tell me!", "The final answer is 42."), asked("How many?", "The final answer is 42.")) is None
    assert kind(row("Tell me!", "513"), asked("How many?", "513")) is None
    told = asked("Is it true that all the birds of this island can swim?", "all the birds of this island can swim")
    assert kind(row("Tell me!", "I heard that all the birds of this island can swim well"), told) is None


def test_steps_count_when_half_of_them_are_there_with_their_numbers():
    steps = ("The tray holds 12 * 4 = 48 apples before lunch.", "After lunch 48 - 9 = 39 apples are left on the tray.")
    item = asked("How many apples are left?", "39", steps)
    assert kind(row("Write something.", steps=steps), item) == "steps"
    assert kind(row("Write something.", steps=(" and so ".join(steps),)), item) == "steps"
    assert kind(row(f"Is this right? {' '.join(steps)}", "Yes"), item) == "steps"
    assert kind(row("Write something.", steps=(*RIVERS, steps[0].replace("48", "52"), *RIVERS)), item) is None
    other = tuple(step.replace("48", "44").replace("12", "11").replace("39", "35") for step in steps)
    assert kind(row("Write something.", steps=other), item) is None
    assert kind(row("Write something.", steps=("12 * 4 = 48",)), asked("How many?", "48", ("12 * 4 = 48",))) is None


def test_keys_decide_where_both_have_one_and_text_where_one_has_none():
    item = asked("Add 12 + 34.", "46", problem="addition")
    keyed = {"meta": {"problem": "addition"}}
    assert kind(row("Add 12 + 34.", "46", **keyed), item) == "verbatim"
    assert kind(row("Add 34 + 12.", "46", **keyed), item) == "problem"
    assert kind(row("Add 12 + 35.", "46", **keyed), item) is None
    assert kind(row("Add 34 + 12.", "46"), item) == "reordered"
    assert kind(row("add 12 + 34", "46"), item) == "normalised"
    assert kind(row("Add 12 + 34.", "46", **keyed), asked("Add 12 + 34.", "46", problem="arithmetic")) == "verbatim"
    assert kind(row("Add 12 + 34.", "46", meta={"problem": ["addition"]}), item) == "verbatim"


def test_a_problem_is_found_however_many_items_ask_it():
    hands = product("CDHS", repeat=4)
    rules, asked_for = "High Card Duel, 52 cards, ace high, equal ranks tie.", "What is the chance that you win?"
    duel = f"{rules} You hold 8{{}}. Seen: 7{{}} 9{{}} T{{}}. {asked_for}"
    prompts = [duel.format(*suits) for suits in hands]
    items = [Asked("eval", str(at), prompt, "1/2", problem="high_card_duel") for at, prompt in enumerate(prompts)]
    leaks = Firewall(items[1:]).check([row(prompts[0], "1/2", meta={"problem": "high_card_duel"})])
    assert "1" in {leak.item for leak in leaks}
    assert {leak.kind for leak in leaks} == {"problem"}


def test_what_many_rows_of_the_dataset_say_is_no_overlap():
    rng = random.Random(1)
    habit = "Let us think about this step by step and write down every number that we are given"
    rows = [row(f"{habit}: {' '.join(rng.choices('abcdefgh', k=9))}", id=f"row-{index}") for index in range(60)]
    item = asked(f"{habit}. Which bird is it?", "the wren")
    common = CommonGrams(len(rows))
    common.add(rows)
    assert len(Firewall([item]).check(rows)) == 60
    assert Firewall([item], common).check(rows) == []
    again = CommonGrams(5 * len(rows))
    for _ in range(5):
        again.add([row(habit, id=f"row-{number}") for number in range(12)])  # one prompt, however often
    assert len(Firewall([item], again).check(rows)) == 60


def test_what_many_items_say_is_no_overlap():
    habit = "Read the question to the end before you write down anything and then answer it with one word"
    items = [Asked("eval", str(index), f"{habit}: which bird is number {index}?", str(index)) for index in range(9)]
    assert Firewall(items).check([row(f"{habit}: is 3 a prime?", "3")]) == []
    assert [leak.item for leak in Firewall(items).check([row(items[3].prompt, "x")])] == ["3"]


def test_a_rows_leaks_come_strongest_first_and_rows_in_their_order():
    items = [asked(FARM), Asked("gold", "other", FARM.replace("barn", "stable"), "42")]
    leaks = Firewall(items).check([row("x"), row(FARM.replace("barn", "stable"), id="1"), row(FARM, id="2"), row("y")])
    assert [(leak.row, leak.source, leak.item, leak.kind) for leak in leaks] == [
        ("1", "gold", "other", "verbatim"),
        ("1", "eval", "item", "near"),
        ("2", "eval", "item", "verbatim"),
        ("2", "gold", "other", "near"),
    ]
    assert leaks[1] == Leak("1", "eval", "item", "near", "The prompts differ in one word only.", leaks[1].similarity)
    assert 0.7 < leaks[1].similarity < 1


def test_what_is_asked_in_several_places_is_named_in_each():
    items = [Asked(source, f"{source}-{index}", FARM, "22") for source in ("eval_v1", "eval_v2") for index in range(2)]
    leaks = Firewall([*items, Asked("held-out", "x", FARM, "23")]).check([row(FARM)])
    assert {(leak.source, leak.item) for leak in leaks} == {
        *(("eval_v1", "eval_v1-0"), ("eval_v2", "eval_v2-0"), ("held-out", "x")),
    }
    swapped = [Asked("eval", "a", "What is 3 + 5?", "8"), Asked("eval", "b", "What is 5 + 3?", "8")]
    assert [(leak.item, leak.kind) for leak in Firewall(swapped).check([row("What is 5 + 3?", "8")])] == [
        ("b", "verbatim"),
        ("a", "reordered"),
    ]


def test_findings_do_not_depend_on_chunks_nor_on_firewalls(monkeypatch):
    world = make_world(7)
    whole = Firewall(world.asked).check(world.rows)
    chunks = [world.rows[first : first + 77] for first in range(0, 2000, 77)]
    assert list(find_leaks(world.asked, lambda: chunks)) == whole
    monkeypatch.setattr("training.firewall.firewall.ENTRIES", 1)
    monkeypatch.setattr("training.firewall.firewall.CHUNK", 40)
    found = list(find_leaks(world.asked, lambda: chunks))
    assert sorted(map(repr, found)) == sorted(map(repr, whole))
    with pytest.raises(ValueError, match="only 40 items"):
        Firewall(world.asked)


def test_items_of_every_kind_are_read():
    item = {"id": "1", "prompt": "p", "expected_answer": "a", "category": "addition", "difficulty": "easy"}
    assert Asked.from_item(item, "eval") == Asked("eval", "1", "p", "a", (), "addition")
    held_out = row("p", "a", ("s",), meta={"problem": "chain"})
    assert Asked.from_row(held_out, "held-out") == Asked("held-out", "row", "p", "a", ("s",), "chain")


HOSTILE = [
    *(
        "a" * 50_000,
        "a " * 25_000,
        " " * 1_000_000 + "x",
        "?!" * 25_000,
        "7," * 25_000,
        "1,000" * 10_000,
        "\u0301" * 50_000,
    ),
    *(
        "Ω" * 50_000,
        "\0",
        "\U0001f600" * 20_000,
        "é\u0301 " * 10_000,
        "!" * 50_000,
        ". " * 25_000,
        " ".join(map(str, range(9000))),
    ),
]


def test_hostile_texts_neither_crash_nor_stall():
    items = [Asked("eval", str(index), text, text, (text, text)) for index, text in enumerate(HOSTILE)]
    firewall = Firewall(items)
    rows = [row(text, text, (text,), id=str(index)) for index, text in enumerate(HOSTILE)]
    found = {(leak.row, leak.item): leak.kind for leak in firewall.check(rows)}
    assert all(found[str(index), str(index)] == "verbatim" for index in range(len(HOSTILE)))
    assert all(leak.kind in KINDS for leak in firewall.check([row(f"x {text}", "y", (text,)) for text in HOSTILE]))
    assert Firewall([]).check(rows) == []
    assert firewall.check([]) == []


def test_a_row_is_compared_with_few_items_however_many_are_like_it():
    items = [Asked("eval", str(index), f"{FARM} {index % 3}", "22", (FARM,)) for index in range(3000)]
    assert 1 <= len(Firewall(items).check([row(f"{FARM} 1", "22", (FARM,) * 9)])) <= 16


def test_spans_tell_what_two_texts_share():
    text, other = "He bought 12 red apples, then 5 pears.", "Then  he bought 12 RED apples — and 9 plums"
    ours, theirs = spans(text, other)
    assert [text[start:end] for start, end in ours] == ["He bought 12 red apples"]
    assert [other[start:end] for start, end in theirs] == ["he bought 12 RED apples"]
    assert spans("x", "X") == ([(0, 1)], [(0, 1)])
    assert spans("", "x") == ([], [])
    assert spans("ﬁne day today", "a FINE day today") == ([(0, 13)], [(2, 16)])
    long = " ".join(map(str, np.arange(20_000)))
    assert spans(long, f"x {long}") == ([(0, len(long))], [(2, len(long) + 2)])


def test_an_answer_that_repeats_one_word_tells_nothing():
    repeated = " ".join(["apple"] * 5)
    assert (
        kind(row("Repeat 'apple' 7 times", f"{repeated} apple apple"), asked("Repeat 'apple' 5 times", repeated))
        is None
    )
