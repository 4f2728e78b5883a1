"""Rows that give items of an evalset away, among rows that only look as if they did."""

import random
from dataclasses import dataclass, field

from training.firewall import Asked
from training.problems import generate_traces

PEOPLE = (
    *("Ada", "Ben", "Chloe", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kaja", "Liam"),
    *("Mina", "Nadia", "Otto", "Priya", "Quentin", "Rosa", "Samir", "Tove"),
)
THINGS = (
    *("apples", "beads", "candles", "drums", "eggs", "flags", "gloves", "hats", "jars", "kites", "lamps"),
    *("marbles", "notebooks", "onions", "pears", "ribbons"),
)
PLACES = (
    *("market", "harbour", "school", "library", "station", "fair", "bakery", "museum", "garden", "workshop"),
    *("theatre", "village"),
)
TOPICS = (*("volcano", "glacier", "comet", "enzyme", "treaty", "sonata", "cathedral", "monsoon", "fossil"),)
STORIES = (
    "{who} walks to the {where} with {a} {what} and gives {b} of them to {other} on the way. Later {other} returns {c} "
    "{what} because they are broken. How many {what} does {who} have altogether at the end of the day?",
    "At the {where} a tray holds {a} {what}. {who} buys {b} trays for the party and {other} brings {c} more {what}. "
    "How many {what} do they have altogether?",
    "{who} sells {what} at the {where}. On Monday {a} {what} are sold, on Tuesday {b}, and on Wednesday {other} helps: "
    "{c} are sold. How many {what} were sold altogether in those three days?",
    "There are {a} shelves in the {where} and {who} puts {b} {what} on each. Then {other} takes {c} {what} away "
    "for the summer fair. How many {what} are left on the shelves?",
    "{who} has saved for {a} weeks, {b} coins every week, to buy {what} at the {where}. {other} adds {c} coins. "
    "How many coins can {who} spend on {what} altogether?",
)
SUMS = (
    (
        "{who} keeps {a} - {b} = {x} {what} after the walk.",
        "With the broken ones {who} has {x} + {c} = {y} {what}.",
        "-",
        "+",
    ),
    (
        "The trays from the {where} hold {a} * {b} = {x} {what}.",
        "Together with those of {other} that is {x} + {c} = {y} {what}.",
        "*",
        "+",
    ),
    (
        "On Monday and Tuesday {a} + {b} = {x} {what} were sold.",
        "With Wednesday that is {x} + {c} = {y} {what} at the {where}.",
        "+",
        "+",
    ),
    (
        "The shelves of the {where} hold {a} * {b} = {x} {what}.",
        "When {other} has taken some, {x} - {c} = {y} {what} are left.",
        "*",
        "-",
    ),
    (
        "In all those weeks {who} saved {a} * {b} = {x} coins.",
        "With the present of {other} that is {x} + {c} = {y} coins.",
        "*",
        "+",
    ),
)
COMPUTE = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}
INSTRUCTION = (
    "Please read the following problem carefully, think about it step by step and then give the result as a number."
)


@dataclass
class World:
    rows: list[dict] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    planted: dict[str, tuple[str, str]] = field(default_factory=dict)  # row: item and kind
    decoys: set[str] = field(default_factory=set)


class Maker:
    """Chance makes everything from `seed`."""

    def __init__(self, seed: int):
        self.rng = random.Random(seed)
        self.world = World()

    def slots(self) -> dict:
        who, other = self.rng.sample(PEOPLE, 2)
        a = self.rng.randint(120, 900)
        b, c = self.rng.randint(3, 99), self.rng.randint(2, 60)
        return {
            "who": who,
            "other": other,
            "what": self.rng.choice(THINGS),
            "where": self.rng.choice(PLACES),
            "a": a,
            "b": b,
            "c": c,
        }

    def story(self, kind: int | None = None, **fixed) -> dict:
        """A word problem with its steps, without an id."""
        kind = self.rng.randrange(len(STORIES)) if kind is None else kind
        slots = self.slots() | fixed
        *steps, first, second = SUMS[kind]
        slots["x"] = COMPUTE[first](slots["a"], slots["b"])
        slots["y"] = COMPUTE[second](slots["x"], slots["c"])
        return {
            "prompt": STORIES[kind].format(**slots),
            "steps": [{"i": i, "type": "compute", "content": step.format(**slots)} for i, step in enumerate(steps)],
            "final_answer": str(slots["y"]),
            "meta": None,
            "kind": kind,
            "slots": slots,
        }

    def essay(self) -> dict:
        """A question whose answer is a sentence."""
        topic, who, where = self.rng.choice(TOPICS), self.rng.choice(PEOPLE), self.rng.choice(PLACES)
        words = self.rng.sample(PEOPLE + THINGS + PLACES, 12)
        return {
            "prompt": f"Why did {who} talk about the {topic} near the {where} number {self.rng.randrange(1000)}?",
            "steps": [{"i": 0, "type": "think", "content": f"The {topic} matters to {who} because of {words[0]}."}],
            "final_answer": f"Because the {topic} reminded {who} of {' and '.join(words)}.",
            "meta": None,
        }

    def row(self, content: dict, **changes) -> dict:
        return {"id": f"row-{len(self.world.rows)}", "split": "train"} | content | changes

    def add(self, content: dict, **changes) -> str:
        row = {key: value for key, value in self.row(content, **changes).items() if key not in ("kind", "slots")}
        self.world.rows.append(row)
        return row["id"]

    def ask(self, content: dict, source: str) -> Asked:
        row = content | {"id": f"{source}-{len(self.world.asked)}"}
        self.world.asked.append(Asked.from_row(row, source))
        return self.world.asked[-1]

    def plant(self, item: Asked, kind: str, content: dict, **changes) -> None:
        self.world.planted[self.add(content, **changes)] = (item.id, kind)

    def decoy(self, content: dict, **changes) -> None:
        self.world.decoys.add(self.add(content, **changes))


def make_world(seed: int) -> World:
    """2 000 rows, items of an evalset and held-out rows, seven leaks and more, and 200 decoys."""
    maker = Maker(seed)
    stories = [maker.story(index % len(STORIES)) for index in range(120)]
    items = [maker.ask(story, "evalset" if index < 60 else "held-out") for index, story in enumerate(stories)]
    _plant_leaks(maker, stories, items)
    _plant_problems(maker)
    for index in range(20, 60):
        _add_decoys(maker, stories[index], items[index])
    while len(maker.world.rows) < 1600:
        maker.add(maker.story() if len(maker.world.rows) % 8 else maker.essay())
    for trace in generate_traces("word_problems", count=2000 - len(maker.world.rows), seed=seed + 1):
        maker.add(trace)
    maker.rng.shuffle(maker.world.rows)
    return maker.world


def _plant_leaks(maker: Maker, stories: list[dict], items: list[Asked]) -> None:
    essay = maker.essay()
    maker.plant(items[0], "verbatim", stories[0])
    maker.plant(
        items[1], "normalised", stories[1], prompt=stories[1]["prompt"].upper().replace(" ", "  ").replace("?", " ?")
    )
    slots = stories[2]["slots"]
    swapped = slots | {"a": slots["b"], "b": slots["a"]}
    maker.plant(items[2], "reordered", stories[2], prompt=STORIES[2].format(**swapped))
    words = stories[3]["prompt"].split()
    maker.plant(items[3], "near", stories[3], prompt=" ".join(["Suppose", *words]))
    at = words.index("takes" if "takes" in words else "and")
    maker.plant(items[3], "near", stories[3], prompt=" ".join([*words[:at], "carries", *words[at + 1 :]]))
    maker.plant(maker.ask(essay, "evalset"), "answer", maker.story(), final_answer=essay["final_answer"])
    maker.plant(items[4], "steps", maker.essay(), steps=stories[4]["steps"])
    twin = stories[100]["prompt"].replace("How many", "Tell me how many")
    maker.plant(items[100], "near", stories[100], prompt=twin)


def _plant_problems(maker: Maker) -> None:
    for trace in generate_traces("addition", count=5, seed=1):
        item = maker.ask(trace, "held-out")
        a, b = trace["prompt"].removeprefix("Add ").removesuffix(".").split(" + ")
        maker.plant(item, "problem", trace, prompt=f"Add {b} + {a}.")
        maker.decoy(trace, prompt=f"Add {a} + {int(b) + 1}.")


def _add_decoys(maker: Maker, story: dict, item: Asked) -> None:
    """Five rows that are like an item and give nothing away."""
    slots, kind = story["slots"], story["kind"]
    numbers = {name: slots[name] + maker.rng.randint(1, 7) for name in "abc"}
    same = {name: slots[name] for name in ("who", "other", "what", "where")}
    maker.decoy(maker.story(kind, **same, **numbers))  # the same story with other numbers
    maker.decoy(maker.story((kind + 1) % len(STORIES), **same))  # the same people, things and place
    maker.decoy(maker.story(), final_answer=story["final_answer"])  # the same answer
    other = maker.story()
    maker.decoy(other, prompt=f"{INSTRUCTION} {other['prompt']}")
    asked = story["prompt"].rpartition(". ")[2]
    maker.decoy(maker.essay(), prompt=f"{maker.essay()['prompt']} {asked}", final_answer=item.answer)
