"""`manage.py build_evalset PROBLEM`: generated questions that no dataset teaches."""

from collections.abc import Iterable
from typing import Any

from datasets_app import services
from datasets_app.services.evalsets import DEFAULT_COUNT
from training.problems import PROBLEMS
from tunixrt.lib.commands import Command as Base


class Command(Base):
    help = "Makes an evalset of a generated problem, from questions that every dataset holds out."

    def add_options(self, parser) -> None:
        known = "; ".join(f"{problem.name}: {problem.description}" for problem in PROBLEMS.values())
        parser.add_argument("problem", help=known)
        parser.add_argument("--count", type=int, default=DEFAULT_COUNT)
        parser.add_argument("--seed", type=int, help="Drawn when not given; the items' ids tell it.")
        parser.add_argument("--difficulty", type=int, help="The problem's own by default.")
        parser.add_argument("--name", default="", help="Problem, difficulty and seed when not given.")

    def run(
        self, *, problem: str, count: int, seed: int | None, difficulty: int | None, name: str, **options: Any
    ) -> dict:
        return services.evalset_from_problem(
            problem=problem, count=count, seed=seed, difficulty=difficulty, name=name
        ).to_dict()

    def show(self, result: dict) -> Iterable[str]:
        yield f"{result['name']}: {result['item_count']:,} items, sha256 {result['sha256']}"
