"""The evalsets that come with the program: their answers computed again, their items unlike each other."""

import math
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction as F
from hashlib import sha256
from pathlib import Path

import pytest

from training.evalsets import read_evalset
from training.firewall import Asked, Firewall
from training.golden import GOLDEN, golden_traces
from training.judges import judge_output, number
from training.renderers import RECIPES, find_recipe
from training.twins import Likeness
from training.validate_evalset import main

FOLDER = Path(__file__).parents[2] / "training" / "evalsets"
V1, V2 = (read_evalset(FOLDER / f"eval_{version}.jsonl") for version in ("v1", "v2"))
V1_SHA256 = "d195530cf80452a695b43419372ad7963e0bc99caa71d5d416138054534de487"


def primes(low: int, high: int) -> list[int]:
    return [n for n in range(low, high) if all(n % d for d in range(2, n))]


def sequence(*first: int, following, length: int) -> list[int]:
    found = list(first)
    while len(found) < length:
        found.append(following(found))
    return found


def days_of_the_snail() -> int:
    height, days = 0, 0
    while True:
        height, days = height + 3, days + 1
        if height >= 11:
            return days
        height -= 1


def rabbits() -> int:
    return next(rabbits for rabbits in range(21) if 4 * rabbits + 2 * (20 - rabbits) == 56)


def cups() -> str:
    row = ["red", "green", "blue"]
    row[0], row[1] = row[1], row[0]
    row[1], row[2] = row[2], row[1]
    return row[1]


def facing(turns: str) -> str:
    return ["north", "east", "south", "west"][(turns.count("R") - turns.count("L")) % 4]


def at(clock: str, **later: int) -> str:
    return (datetime.strptime(clock, "%H:%M") + timedelta(**later)).strftime("%H:%M")


A_WEDNESDAY = date(2025, 1, 1)
PEOPLE = {"Di": 4, "Ann": 3, "Bo": 2, "Cy": 1}  # any ages in the order that the question tells of
COMPUTED = {
    "arithmetic-01": 48 + 37,
    "arithmetic-02": 203 - 78,
    "arithmetic-03": 27 * 19,
    "arithmetic-04": 1008 // 24,
    "arithmetic-05": 7 + 6 * (9 - 4),
    "arithmetic-06": F(3, 4) + F(1, 6),
    "arithmetic-07": F(15, 100) * 240,
    "knowledge-06": primes(31, 50)[0],
    "word-problem-01": 12 * 7,
    "word-problem-02": 50 - 18 + 9,
    "word-problem-03": 60 * F("2.5"),
    "word-problem-04": F("7.50") / 3 * 5,
    "word-problem-05": 2 * (8 + 15),
    "word-problem-06": 40 * F(75, 100) * F(90, 100),
    "word-problem-07": next(ben for ben in range(48) if (2 * ben + 6) + (ben + 6) == 48),
    "conversion-01": F("3.2") * 1000,
    "conversion-02": 4 * 60 + 35,
    "conversion-03": F(77 - 32) * F(5, 9),
    "conversion-04": int("101101", 2),
    "conversion-05": F(15 * 3600, 1000),
    "core-01": 367 + 458,
    "core-02": 1002 - 456,
    "core-03": 84 * 36,
    "core-04": F(3276, 42),
    "core-05": 18 - 4 * 3 + F(10, 2),
    "core-06": F(5, 6) - F(1, 4),
    "core-07": F(2, 3) * 96,
    "core-08": F("12.5") / 100 * 640,
    "core-09": F("0.75") * F("0.4"),
    "core-10": 2**9,
    "core-11": math.isqrt(729),
    "core-12": 250 % 7,
    "core-13": math.gcd(84, 126),
    "core-14": math.lcm(12, 18),
    "core-15": 24 * 6,
    "core-16": 15 + 22 + 18,
    "core-17": 9 / F("0.75"),
    "core-18": F("62.50") / 5,
    "core-19": 240 * F(35, 100),
    "core-20": 14 * 9,
    "core-21": F(80 - 60, 80) * 100,
    "core-22": 4 * 17 - (12 + 20 + 15),
    "core-23": F(6, 100) * 350,
    "core-24": F(12, 3) * 5,
    "core-25": next(girls for girls in range(29) if girls - (28 - girls) == 4),
    "core-26": next(n for n in range(87) if n + (n + 1) == 87),
    "core-27": 4**3,
    "core-28": F(10 * 7, 2),
    "core-29": F("2.75") * 1000,
    "core-30": timedelta(minutes=3, seconds=20).seconds,
    "core-31": F("0.4") * 1000,
    "core-32": F(30 * 9, 5) + 32,
    "core-33": F("0.125"),
    "core-34": F(7, 20) * 100,
    "core-35": int(f"{26:b}"),
    "core-36": int("2F", 16),
    "core-37": 3 * 100 * 100,
    "core-38": -10 + 50 - 1 + 10,
    "trace-sensitive-01": ((7 + 5) * 2 - 9) * 3,
    "trace-sensitive-02": F(100 // 2 - 14, 4) + 23,
    "trace-sensitive-03": int(str(7**2 + 4)[-1]) ** 2,
    "trace-sensitive-04": 37 * 48 - 29 * 16,
    "trace-sensitive-05": 1 + 2 * 3 + 4 * 5 + 6 * 7,
    "trace-sensitive-06": F((8 + 4) * 5 - 12, 6) + 7,
    "trace-sensitive-07": sum((17, 26, 39, 48, 53, 64)),
    "trace-sensitive-08": 3 + 5 - 2 + 6 - 9,
    "trace-sensitive-09": cups(),
    "trace-sensitive-10": facing("RRLR"),
    "trace-sensitive-11": (12 - 12 // 3 + 7) - (12 - 12 // 3 + 7) // 2,
    "trace-sensitive-12": days_of_the_snail(),
    "trace-sensitive-13": 5 * 2 ** (2 * 60 // 20),
    "trace-sensitive-14": 150 * F(120, 100) * F(90, 100),
    "trace-sensitive-15": 1 / (F(1, 6) + F(1, 3)),
    "trace-sensitive-16": at("08:45", hours=2, minutes=50 + 15),
    "trace-sensitive-17": sequence(2, 5, following=lambda found: sum(found[-2:]), length=7)[-1],
    "trace-sensitive-18": sequence(3, following=lambda found: 2 * found[-1] - 1, length=6)[-1],
    "trace-sensitive-19": len(primes(20, 50)),
    "trace-sensitive-20": sum(map(int, str(2**12))),
    "trace-sensitive-21": sorted([42, 17, 93, 8, 65, 29])[3],
    "trace-sensitive-22": "".join(sorted("trace")),
    "trace-sensitive-23": int("7305"[::-1]) + 12,
    "trace-sensitive-24": "".join(map(str, range(1, 22))).count("1"),
    "trace-sensitive-25": math.gcd(252, 105),
    "trace-sensitive-26": next(x for x in range(100) if 5 * x - 7 == 3 * x + 11),
    "trace-sensitive-27": next(x * (20 - x) for x in range(21) if x - (20 - x) == 6),
    "trace-sensitive-28": f"{A_WEDNESDAY + timedelta(days=100):%A}",
    "trace-sensitive-29": sorted(PEOPLE, key=PEOPLE.__getitem__)[-3],
    "trace-sensitive-30": rabbits(),
    "edge-case-01": 5 - 12,
    "edge-case-02": 0 * 8431,
    "edge-case-03": -6 * -7,
    "edge-case-04": 999_999 + 1,
    "edge-case-05": F(1, 3) * 3,
    "edge-case-06": F("0.1") + F("0.2"),
    "edge-case-07": F(7, 8),
    "edge-case-08": 2 * 15,
    "edge-case-09": 10**0,
    "edge-case-10": 2**10 - 10**3,
    "edge-case-11": 4 + 3,
    "edge-case-14": F(3, 12) * 0,
    "edge-case-15": max(F("0.9"), F("0.11")),
    "edge-case-16": F(Decimal("2.449").quantize(Decimal("0.1"))),
    "edge-case-17": 15 * 4,
    "edge-case-18": 12 + 30,
    "edge-case-19": "strawberry".count("r"),
    "edge-case-20": 1_000_000 + 200_000,
}
# What nobody computes: facts, words, and the two riddles whose point is to read.
LOOKED_UP = {
    *(f"knowledge-0{n}" for n in range(1, 6)),
    *(f"core-{n}" for n in (39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50)),
    *("edge-case-12", "edge-case-13"),
}


def likeness(item: dict) -> Likeness:
    return Likeness.of({"prompt": item["prompt"], "steps": [], "final_answer": item["expected_answer"]})


@pytest.mark.parametrize("item", V1 + V2, ids=lambda item: item["id"])
def test_every_answer_that_can_be_computed_is_the_computed_one(item):
    if item["id"] in LOOKED_UP:
        assert item["id"] not in COMPUTED
        return
    expected = COMPUTED[item["id"]]
    assert (item["expected_answer"] if isinstance(expected, str) else number(item["expected_answer"])) == expected


def test_no_computation_is_of_an_item_that_is_gone():
    assert COMPUTED.keys() | LOOKED_UP == {item["id"] for item in V1 + V2}


def test_eval_v1_is_static():
    assert sha256((FOLDER / "eval_v1.jsonl").read_bytes()).hexdigest() == V1_SHA256


def test_eval_v2_has_100_items_in_three_sections_of_several_kinds_and_difficulties():
    assert Counter(item["section"] for item in V2) == {"core": 50, "trace_sensitive": 30, "edge_case": 20}
    categories = Counter(item["category"] for item in V2)
    assert set(categories) == {"arithmetic", "word problem", "conversion", "knowledge", "logic"}
    assert min(categories.values()) >= 9
    assert {item["difficulty"] for item in V2} == {"easy", "medium", "hard"}


@pytest.mark.parametrize("recipe", list(RECIPES))
@pytest.mark.parametrize("item", V1 + V2, ids=lambda item: item["id"])
def test_judges_take_the_expected_answer_for_right_and_another_for_wrong(item, recipe):
    opening, closing = find_recipe(recipe).answer
    for answer, right in ((item["expected_answer"], True), (f"{item['expected_answer']}1", False)):
        assert judge_output(item, f"{opening}{answer}{closing}", recipe)["correct"] is right


def test_no_two_shipped_items_are_twins_or_ask_the_same():
    known = [(item["id"], likeness(item)) for item in V1 + V2]
    alike = [(a, b) for i, (a, first) in enumerate(known) for b, second in known[:i] if first.similarity(second) > 0.5]
    assert alike == []
    assert len({item["prompt"].casefold() for item in V1 + V2}) == len(known)


def test_no_golden_trace_gives_a_shipped_item_away():
    firewall = Firewall([Asked.from_item(item, "shipped") for item in V2])
    for name in GOLDEN:
        rows = [{**payload, "id": str(number)} for number, payload in enumerate(golden_traces(name))]
        assert firewall.check(rows) == []


def test_the_validator_finds_nothing_to_warn_of(capsys):
    assert main([str(FOLDER / "eval_v1.jsonl"), str(FOLDER / "eval_v2.jsonl")]) == 0
    assert "warning" not in capsys.readouterr().out
