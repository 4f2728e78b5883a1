"""`manage.py seed_dataset --dataset KEY`: a golden set, or generated problems, stored and frozen."""

from collections.abc import Iterable
from typing import Any

from datasets_app import services
from datasets_app.management.commands.build_dataset import describe
from training.golden import GOLDEN
from training.problems import PROBLEMS
from tunixrt.lib.commands import Command as Base


class Command(Base):
    help = "Stores and freezes a set that is the same everywhere. Seeding again changes nothing."

    def add_options(self, parser) -> None:
        known = ", ".join([*GOLDEN, *(f"{name}-VERSION" for name in PROBLEMS)])
        parser.add_argument("--dataset", required=True, metavar="KEY", help=f"One of {known}.")
        parser.add_argument("--count", type=int, help="Traces to make.")
        parser.add_argument("--seed", type=int)
        parser.add_argument("--difficulty", type=int, help="Of generated problems.")

    def run(self, *, dataset: str, count: int | None, seed: int | None, difficulty: int | None, **options: Any) -> dict:
        return services.seed_dataset(key=dataset, count=count, seed=seed, difficulty=difficulty).to_dict()

    def show(self, result: dict) -> Iterable[str]:
        return describe(result)
