"""`manage.py compare_datasets BASE OTHER`: what became of a dataset's rows in another version."""

from collections.abc import Iterable
from typing import Any

from datasets_app import services
from training.canonical import canonical_json
from tunixrt.lib.commands import Command as Base


class Command(Base):
    help = "Compares two frozen datasets: rows that came, went or changed their split, and what was asked for."

    def add_options(self, parser) -> None:
        parser.add_argument("base")
        parser.add_argument("other")
        parser.add_argument("--rows", type=int, default=10, help="Rows of each kind that are shown.")

    def run(self, *, base: str, other: str, rows: int, **options: Any) -> dict:
        found = services.compare_datasets(
            base=services.named_dataset(base, "base"), other=services.named_dataset(other, "other")
        )
        shown = {
            kind: [
                services.compared_row(item) for item in services.MANIFEST_ORDER.sort(found.rows(kind))[: max(rows, 0)]
            ]
            for kind in services.KINDS
        }
        return found.to_dict() | {"rows": shown}

    def show(self, result: dict) -> Iterable[str]:
        base, other = (result[side]["dataset_key"] for side in ("base", "other"))
        yield f"from {base} to {other}: {'the same bytes' if result['same_bytes'] else 'other bytes'}"
        yield ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in result["counts"].items())
        for difference in result["differences"]:
            values = (canonical_json(difference[side]) for side in ("base", "other"))
            yield f"{difference['name']}: {' → '.join(values)}"
        for kind, rows in result["rows"].items():
            yield from (f"{kind}: row {row['position']} {row['id']} {row['split']}" for row in rows)
