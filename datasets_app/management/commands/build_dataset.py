"""`manage.py build_dataset NAME VERSION`: chooses traces and freezes them."""

from collections.abc import Iterable, Iterator
from typing import Any

from datasets_app import services
from datasets_app.build_request import STRATEGIES
from training.errors import Fault, Invalid, echo
from training.renderers import RECIPES
from training.splits import SPLITS
from training.strict_json import parse_json
from tunixrt.lib.commands import Command as Base

FILTERS = ("source", "q", "min_score", "created_after", "tag")


class Command(Base):
    help = "Chooses traces and freezes them into a dataset."

    def add_options(self, parser) -> None:
        parser.add_argument("dataset_name")
        parser.add_argument("dataset_version")
        for name in FILTERS:
            parser.add_argument(f"--{name.replace('_', '-')}", dest=name, help=f"Filter: {name}.")
        parser.add_argument(
            "--meta", action="append", default=[], metavar="NAME=JSON", help="Filter: meta[NAME] is JSON."
        )
        parser.add_argument("--strategy", dest="selection_strategy", choices=STRATEGIES)
        parser.add_argument("--limit", type=int)
        parser.add_argument("--seed", type=int)
        parser.add_argument("--strict", action="store_true", help="A random selection without --seed is an error.")
        parser.add_argument("--recipe", choices=list(RECIPES))
        parser.add_argument("--instruction", help="What stands before each prompt; may be empty.")

    def run(self, *, meta: list[str], **options: Any) -> dict:
        filters = {name: options[name] for name in FILTERS if options[name] is not None}
        filters |= dict(map(_meta_filter, meta))
        names = ("dataset_name", "dataset_version", "selection_strategy", "limit", "seed", "recipe", "instruction")
        request = {name: options[name] for name in names if options[name] is not None}
        request |= {"filters": filters, "strict": options["strict"]}
        dataset, is_new = services.build_dataset(request=request, by=None)
        return dataset.to_dict() | {"created": is_new}

    def show(self, result: dict) -> Iterable[str]:
        return describe(result)


def describe(row: dict) -> Iterator[str]:
    """A dataset in two lines, for every command that makes one."""
    splits = ", ".join(f"{row['splits'].get(name, 0)} {name}" for name in SPLITS)
    yield f"{row['dataset_key']}: {row['status']}, {row['trace_count']} rows ({splits})"
    yield f"manifest: {row['manifest_path']}"


def _meta_filter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Invalid(Fault(("meta",), f"must be NAME=JSON, not {echo(text)}", "wrong_value"))
    return name, parse_json(value)
