"""`manage.py show_row KEY POSITION`: a row of a dataset, and what the model sees of it."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from datasets_app import services
from datasets_app.models import Dataset
from training.renderers import RECIPES
from tunixrt.lib.commands import Command as Base
from tunixrt.lib.errors import NotFound


class Command(Base):
    help = "Shows a row of a frozen dataset, and its tokens as a run would train, mask or cut them."

    def add_options(self, parser) -> None:
        parser.add_argument("key")
        parser.add_argument("position", type=int, help="From 0, in manifest order.")
        parser.add_argument("--recipe", choices=list(RECIPES), help="The dataset's when not given.")
        parser.add_argument("--max-length", type=int, help="Tokens a sequence; the dataset's when not given.")
        parser.add_argument("--vocab-size", type=int, help="Tokens to learn.")

    def run(self, *, key: str, position: int, **options: Any) -> dict:
        dataset = Dataset.objects.with_key(key).first()
        if dataset is None:
            raise NotFound(f"There is no dataset {key!r}.")
        settings = services.read_settings(dataset, options)
        row = services.row_at(dataset, position)
        sight = services.describe_sight(row, services.sight_of(dataset, row, settings), settings)
        return row.to_dict() | {"sight": sight}

    def show(self, result: dict) -> Iterable[str]:
        row, sight = result["row"], result["sight"]
        yield f"row {result['position']}, {row['split']}, trace {row['id']}"
        yield from (f"named by {gate['gate']}: {gate['why'] or gate['check']}" for gate in result["gates"])
        if result["kept_with"]:
            more = " and more" if result["has_more"] else ""
            yield f"kept together with {', '.join(map(str, result['kept_with']))}{more}"
        counts = ", ".join(f"{count} {kind}" for kind, count in sight["counts"].items())
        yield f"{sight['recipe']}, at most {sight['max_length']} tokens: {counts}"
        if sight["left_out"]:
            yield "too long: training refuses it, or leaves it out"
        yield f"the prompt is what an examination feeds: {'yes' if all(sight['parity'].values()) else 'NO'}"
        yield ""
        for kind, text in _runs(sight["tokens"]):
            yield f"[{kind}] {text}"


def _runs(tokens: list[dict]) -> Iterable[tuple[str, str]]:
    """The text of tokens of one kind that stand together."""
    for kind, run in groupby(tokens, key=lambda token: token["kind"]):
        yield kind, "".join(token["text"] for token in run)
