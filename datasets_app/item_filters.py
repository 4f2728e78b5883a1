"""Which items of an evalset a list shows: the same names with the same meaning on the page and over the API."""

from collections.abc import Mapping

from django.db.models import QuerySet

from datasets_app.models import EvalItem, EvalSet
from training.errors import Invalid
from training.evalset_checks import LABELS
from training.json_rules import text_faults

FILTERS = {*LABELS, "q"}


def filtered_items(evalset: EvalSet, query: Mapping[str, str]) -> QuerySet[EvalItem]:
    """The items that pass, in the evalset's order; empty values ask nothing. Raises Invalid for what no text can be."""
    given = {name: query[name] for name in sorted(FILTERS) if query.get(name)}
    if faults := [fault for name, value in given.items() for fault in text_faults(value, (name,))]:
        raise Invalid(faults)
    words = given.pop("q", "")
    items = evalset.items.filter(**given)
    return items.with_words(words) if words else items
