"""The filters of traces as a form, and as chips that can be taken off again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import QueryDict

from traces.filters import FILTERS, REVIEW_STATES, is_own, read_query
from traces.models.queries import BY_SCORE, NEWEST, ORDERS
from traces.scorers import SCORERS

NOT_FILTERS = ("sort", "before", "after")
YES_NO = [("", "any"), ("true", "yes"), ("false", "no")]


@dataclass(frozen=True)
class Chip:
    """A filter that is on: what it says, and the address without it."""

    name: str
    value: str
    without: str


class FilterForm(forms.Form):
    """What narrows and sorts the list of traces. It lives in the address, under the names of `traces.filters`.

    Scorer and meta filters hold a part of their name in a field (`scorer`, `meta_name`): `plain_query` spells them out.
    """

    q = forms.CharField(label="Words", required=False, widget=forms.TextInput(attrs={"type": "search"}))
    sort = forms.ChoiceField(label="Sort", required=False, choices=[(name, name) for name in (*ORDERS, *BY_SCORE)])
    source = forms.CharField(label="Source", required=False)
    tag = forms.CharField(label="Tag", required=False)
    created_after = forms.CharField(label="Added after", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    scorer = forms.ChoiceField(
        label="Scorer", required=False, choices=[("", "any"), *((name, name) for name in SCORERS)]
    )
    low = forms.CharField(label="Score from", required=False)
    high = forms.CharField(label="Score to", required=False)
    wrong = forms.ChoiceField(label="It found a wrong step", required=False, choices=YES_NO)
    meta_name = forms.CharField(label="Meta key", required=False)
    meta_value = forms.CharField(label="Meta value", required=False)

    def __init__(self, data: QueryDict):
        super().__init__(data.copy())
        number = {"inputmode": "numeric", "size": 5}
        choices = (
            ("review.is", "Reviewed by people", [("", "any"), *((name, name) for name in REVIEW_STATES)]),
            ("twin.is", "Nearly repeats another", YES_NO),
            ("scorers.disagree", "Scorers disagree", YES_NO),
        )
        for name, label in NUMBERS.items():
            self.fields[name] = forms.CharField(label=label, required=False, widget=forms.TextInput(attrs=number))
        for name, label, allowed in choices:
            self.fields[name] = forms.ChoiceField(label=label, required=False, choices=allowed)

    @property
    def first_fields(self) -> list:
        return [self["q"], self["sort"]]

    @property
    def more_fields(self) -> list:
        return [self[name] for name in self.fields if name not in ("q", "sort")]

    @property
    def kept(self) -> list[tuple[str, str]]:
        """Filters that no field shows and that a new search keeps."""
        return [(name, value) for name, value in self.data.items() if name not in (*self.fields, *NOT_FILTERS)]

    def filters(self) -> dict[str, Any]:
        """The filters of a plain address. Raises Invalid."""
        return read_query(self.data, besides=NOT_FILTERS)

    def order(self) -> str:
        """How the list is sorted, if it can be sorted so."""
        return self.data.get("sort", NEWEST)

    def plain_query(self) -> str | None:
        """The plain address of what a person filled in, or None when the address is plain already."""
        plain = {name: value.strip() for name, value in self.data.items() if value.strip() and name not in HELPERS}
        plain |= self._spelled_out()
        if plain.get("sort") == NEWEST:
            del plain["sort"]
        return None if plain == self.data.dict() else urlencode(plain)

    def chips(self) -> Iterator[Chip]:
        for name, value in self.data.items():
            if name not in NOT_FILTERS:
                rest = {key: text for key, text in self.data.items() if key not in (name, "before", "after")}
                yield Chip(name.removeprefix("meta."), value, urlencode(rest))

    @property
    def query(self) -> str:
        """The filters as an address, without the place in the list."""
        return urlencode({name: value for name, value in self.data.items() if name not in NOT_FILTERS})

    def _spelled_out(self) -> dict[str, str]:
        given = {name: self.data.get(name, "").strip() for name in HELPERS}
        found = {}
        if scorer := given["scorer"]:
            names = {"low": f"score.{scorer}.min", "high": f"score.{scorer}.max", "wrong": f"wrong.{scorer}"}
            found = {names[part]: given[part] for part in names if given[part]}
        if given["meta_name"]:
            found[f"meta.{given['meta_name']}"] = given["meta_value"] or "null"
        return found


NUMBERS = {
    "steps.min": "Steps from",
    "steps.max": "Steps to",
    "characters.min": "Characters from",
    "characters.max": "Characters to",
}
HELPERS = ("scorer", "low", "high", "wrong", "meta_name", "meta_value")


def spell(filters: dict[str, Any]) -> str:
    """Filters as `read_query` reads them again: other values of meta than plain texts as JSON."""
    return urlencode({_plain_name(name): _plain_value(name, value) for name, value in filters.items()})


def _plain_name(name: str) -> str:
    return name if is_own(name) or name.startswith("meta.") else f"meta.{name}"


def _plain_value(name: str, value: Any) -> str:
    return value if isinstance(value, str) and name in FILTERS else json.dumps(value)
