"""`manage.py build_dataset NAME VERSION`: chooses traces and freezes them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from datasets_app import services
from datasets_app.build_request import STRATEGIES
from datasets_app.models import Dataset
from datasets_app.strata import EQUAL, PROPORTIONAL
from traces.filters import read_query
from training.errors import Fault, Invalid, echo
from training.renderers import RECIPES
from training.request_fields import within
from training.splits import SPLITS
from training.strict_json import parse_json
from tunixrt.jobs.models import Job
from tunixrt.lib.commands import Command as Base
from tunixrt.lib.commands import ProgressLine

FILTERS = ("source", "q", "min_score", "created_after", "tag")
SAME = (  # in the request as on the line
    *("dataset_name", "dataset_version", "selection_strategy", "stratify_by", "limit", "seed", "strict", "recipe"),
    *("instruction", "max_length", "session_id", "training_run_id"),
)


class Command(Base):
    help = "Chooses traces and freezes them into a dataset."

    def add_options(self, parser) -> None:
        parser.add_argument("dataset_name")
        parser.add_argument("dataset_version")
        for name in FILTERS:
            parser.add_argument(f"--{name.replace('_', '-')}", dest=name, help=f"Filter: {name}.")
        add = parser.add_argument
        add("--meta", action="append", default=[], metavar="NAME=JSON", help="Filter: meta[NAME] is JSON.")
        add("--filter", action="append", default=[], metavar="NAME=VALUE", help="Any filter, as in an address.")
        add("--strategy", dest="selection_strategy", choices=STRATEGIES)
        add("--stratify-by", metavar="FIELD", help="source, steps, meta.NAME or NAME.")
        add("--quotas", metavar="HOW", help="proportional, equal, or JSON: {value: rows}.")
        add("--mix", metavar="JSON|FILE", help='[{"filters": {…}, "weight": 0.7}, {"dataset_key": …, "weight": …}, …]')
        add("--limit", type=int)
        add("--seed", type=int)
        add("--strict", action="store_true", help="An error when the seed decides and there is no --seed.")
        add("--recipe", choices=list(RECIPES))
        add("--instruction", help="What stands before each prompt; may be empty. The recipe's own when not given.")
        add("--max-length", type=int, help="Tokens a sequence that the gates reckon with.")
        add("--gate", action="append", default=[], metavar="NAME=warn|refuse", help="What a gate does with findings.")
        add("--parent", metavar="KEY", help="The dataset that this is the next version of.")
        add("--session-id")
        add("--training-run-id")
        add("--provenance", metavar="JSON")
        add("--dry-run", action="store_true", help="Tell what would be taken, and store nothing.")

    def run(self, *, dry_run: bool, **options: Any) -> dict:
        request = {name: options[name] for name in SAME if options[name] is not None}
        request |= {name: value for name, value in _spelled(options).items() if value is not None}
        if dry_run:
            return services.preview_build(request=request).to_dict()
        line = ProgressLine(self.stderr, "building", None)

        def watch(job: Job) -> None:
            line.total = job.total
            line.show(job.done, job.message)

        dataset, is_new = services.build_dataset(request=request, by=None, at_once=True, watch=watch)
        line.close()
        return dataset.to_dict() | {"created": is_new, "shares": dataset.stats.get("shares", [])}

    def show(self, result: dict) -> Iterable[str]:
        return describe(result) if "dataset_key" in result else describe_preview(result)


def describe(row: dict) -> Iterator[str]:
    """A dataset in some lines, for every command that makes one."""
    splits = ", ".join(f"{row['splits'].get(name, 0)} {name}" for name in SPLITS)
    yield f"{row['dataset_key']}: {row['status']}, {row['trace_count']} rows ({splits})"
    yield from _describe_shares(row.get("shares", []))
    if row["found"]:
        yield "gates: " + ", ".join(f"{gate} found {count} rows" for gate, count in row["found"].items())
    yield f"manifest: {row['manifest_path']}"


def describe_preview(row: dict) -> Iterator[str]:
    more = "more than " if row["is_more"] else ""
    yield f"{row['taken']} rows would be taken of {more}{row['count']} that match"
    yield from _describe_shares(row["shares"])
    for gate in row["gates"]:
        found = f"{gate['count']} of {gate['checked']} sampled rows break it ({gate['action']})"
        yield f"{gate['check']}: {found if gate['count'] else 'passed'}"


def _describe_shares(shares: Iterable[dict]) -> Iterator[str]:
    for share in shares:
        yield f"  {share['value']}: {share['taken']} taken, {share['asked']} asked, {share['rows']} there"


def _spelled(options: dict[str, Any]) -> dict[str, Any]:
    """What a line spells otherwise than a request."""
    filters = {name: options[name] for name in FILTERS if options[name] is not None}
    filters |= {name: parse_json(value) for name, value in _pairs("meta", options["meta"], "NAME=JSON")}
    filters |= read_query(dict(_pairs("filter", options["filter"], "NAME=VALUE")))
    quotas = options["quotas"]
    return {
        "filters": filters,
        "quotas": quotas if quotas in (None, EQUAL, PROPORTIONAL) else _json("quotas", quotas),
        "mix": options["mix"] and _json("mix", _text_or_file(options["mix"])),
        "gates": dict(_pairs("gate", options["gate"], "NAME=warn|refuse")),
        "parent_dataset_id": options["parent"] and _id_of(options["parent"]),
        "provenance": options["provenance"] and _json("provenance", options["provenance"]),
    }


def _pairs(option: str, texts: list[str], form: str) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Invalid(Fault((option,), f"must be {form}, not {echo(text)}", "wrong_value"))
        yield name, value


def _json(option: str, text: str) -> Any:
    try:
        return parse_json(text)
    except Invalid as invalid:
        raise Invalid(within(invalid, option))


def _text_or_file(value: str) -> str:
    try:
        return value if value.lstrip().startswith("[") else Path(value).read_text(encoding="utf-8")
    except (OSError, ValueError):  # a name that cannot be, bytes that are no UTF-8
        raise Invalid(
            Fault(("mix",), f"must be a JSON list or a file that holds one, not {echo(value)}", "wrong_value")
        )


def _id_of(key: str) -> str:
    dataset = Dataset.objects.frozen().with_key(key).first()
    if dataset is None:
        raise Invalid(Fault(("parent",), f"there is no frozen dataset {echo(key)}", "unknown_dataset"))
    return str(dataset.pk)
