"""`manage.py seed_golden_dataset`: seed_dataset for each golden set."""

from collections.abc import Iterable
from typing import Any

from datasets_app import services
from datasets_app.management.commands.build_dataset import describe
from training.golden import GOLDEN
from tunixrt.lib.commands import Command as Base


class Command(Base):
    help = "Stores and freezes the golden sets. Seeding again changes nothing."

    def add_options(self, parser) -> None:
        parser.add_argument("--dataset", choices=list(GOLDEN), help="This one only.")

    def run(self, *, dataset: str | None, **options: Any) -> dict:
        keys = [dataset] if dataset else list(GOLDEN)
        return {"datasets": [services.seed_dataset(key=key).to_dict() for key in keys]}

    def show(self, result: dict) -> Iterable[str]:
        for row in result["datasets"]:
            yield from describe(row)
