"""Which runs a list shows: the same names with the same meaning on the page, over the API and in the command."""

from collections.abc import Mapping

from runs.models import Run, RunQuerySet
from training.errors import Fault, Invalid, echo
from training.json_rules import text_faults

CHOICES = {"status": Run.Status.values, "archived": ["false", "true", "all"]}
FILTERS = {*CHOICES, "dataset_key", "tag", "q"}


def filtered_runs(query: Mapping[str, str]) -> RunQuerySet:
    """The runs that pass, newest first, archived ones only when asked for; empty values ask nothing.

    Raises Invalid at the names whose values cannot be.
    """
    given = {name: query[name] for name in FILTERS if query.get(name)}
    if faults := [fault for name, value in given.items() for fault in _faults(name, value)]:
        raise Invalid(faults)
    runs = Run.objects.with_tags().newest_first()
    if (archived := given.get("archived")) != "all":
        runs = runs.filter(archived_at__isnull=False) if archived == "true" else runs.shown()
    if "status" in given:
        runs = runs.filter(status=given["status"])
    if "dataset_key" in given:
        runs = runs.filter(dataset__key=given["dataset_key"])
    if "tag" in given:
        runs = runs.tagged(given["tag"])
    return runs.called(given["q"]) if "q" in given else runs


def _faults(name: str, value: str) -> list[Fault]:
    if value not in CHOICES.get(name, [value]):
        return [Fault((name,), f"must be one of {', '.join(CHOICES[name])}, not {echo(value)}", "wrong_value")]
    return list(text_faults(value, (name,)))
