"""Questions of a generated problem that no dataset teaches.

Two seeds draw different rows, but chance may draw a question twice, and a small problem has few. What keeps a question
away from training is its group: every dataset holds the same groups out, whatever seed its rows are from (`splits`). So
only draws whose group belongs to the test split are asked, one in ten or so, and of each group one.

A copy of such a question that names no problem, as it may come from a file, has a group of its own words. That one the
contamination firewall finds.
"""

from collections.abc import Iterator

from training.errors import Fault, Invalid
from training.evalsets import item_from_row
from training.problems import PROBLEMS, generate_traces
from training.splits import group_of, split_of

COUNTS = range(1, 1_001)
DRAWS = 100  # an item, and some more for a few: ten are expected where the problem has questions enough
HELD_OUT = "test"


def held_out_items(problem: str, *, count: int, seed: int, difficulty: int | None = None) -> list[dict]:
    """`count` items of a problem with their steps. The id `chain-8-7-41` is that of draw 41 of chain at difficulty 8
    with seed 7; more items of the same arguments begin with these.

    Raises Invalid for what `generate_traces` refuses, and when that many different questions are not found.
    """
    if count not in COUNTS:
        msg = f"is {count}; it must lie between {COUNTS[0]} and {COUNTS[-1]}"
        raise Invalid(Fault(("count",), msg, "number_out_of_range"))
    draws = generate_traces(problem, count=DRAWS * (count + 10), seed=seed, difficulty=difficulty)
    items = []
    for item in _different(draws):
        items.append(item)
        if len(items) == count:
            return items
    easiest, hardest = PROBLEMS[problem].difficulty_range
    msg = f"is more than there is: {len(items)} held-out questions are found. Ask fewer, or at another difficulty"
    raise Invalid(Fault(("count",), f"{msg} ({easiest} to {hardest})", "number_out_of_range"))


def _different(draws: Iterator[dict]) -> Iterator[dict]:
    """The held-out draws as items, the first of each group."""
    seen: set[str] = set()
    for trace in draws:
        group, meta = group_of(trace), trace["meta"]
        if split_of(group) == HELD_OUT and group not in seen:
            seen.add(group)
            name = "-".join(str(meta[part]) for part in ("problem", "difficulty", "seed", "index"))
            yield item_from_row({"id": name, **trace})
