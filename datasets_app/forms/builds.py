"""Forms of this room. They turn what was typed into a service's arguments; the rules are the services'."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from django import forms

from datasets_app import services
from datasets_app.build_request import DEFAULT_LIMIT, MAX_LIMIT, STRATEGIES
from datasets_app.models import Dataset
from traces.filters import read_query
from training.errors import Fault, Invalid
from training.renderers import DEFAULT_INSTRUCTION, RECIPES
from tunixrt.lib.errors import Refused

FILTERS = ("source", "q", "min_score")
STRATEGY_LABELS = {
    "latest": "the newest",
    "random": "a random sample",
    "all": "all, oldest first",
    "stratified": "a share of each stratum",
}


class BuildForm(forms.Form):
    dataset_name = forms.CharField(label="Name", help_text="Letters, digits, '_', '.' and '-'.")
    dataset_version = forms.CharField(
        label="Version", initial="1", help_text="No hyphen. A frozen version never changes: make the next one."
    )
    source = forms.CharField(label="Source is", required=False, help_text="As traces have it in meta.source.")
    q = forms.CharField(label="Words", required=False, help_text="Every word occurs, the last perhaps only begun.")
    min_score = forms.CharField(label="Score at least", required=False, help_text="The baseline score, 0 to 100.")
    filters = forms.CharField(
        label="Further filters",
        required=False,
        help_text="As the address of the page of traces has them: tag=checked&wrong.arithmetic=false",
    )
    selection_strategy = forms.ChoiceField(
        label="Take", choices=[(name, STRATEGY_LABELS[name]) for name in STRATEGIES], initial="latest"
    )
    limit = forms.IntegerField(
        label="At most",
        required=False,
        min_value=1,
        max_value=MAX_LIMIT,
        help_text=f"{DEFAULT_LIMIT} when left empty; everything with 'all'.",
    )
    seed = forms.IntegerField(
        label="Seed",
        required=False,
        min_value=0,
        help_text="Decides a random sample. Drawn and recorded when left empty.",
    )
    recipe = forms.ChoiceField(
        label="What the model learns to write",
        choices=[(recipe.name, f"{recipe.about} ({recipe.name})") for recipe in RECIPES.values()],
    )
    instruction = forms.CharField(
        label="Instruction before each prompt",
        required=False,
        initial=DEFAULT_INSTRUCTION,
        help_text="The same for training and examination. May be empty.",
    )

    def build(self, by) -> Dataset | None:
        """The dataset, or None with what is wrong written into the form."""
        if not self.is_valid():
            return None
        try:
            return services.build_dataset(request=self.request(), by=by)[0]
        except Invalid as invalid:
            self.add_faults(invalid.faults)
        except Refused as refused:
            self.add_error(None, refused.detail)
            self.add_faults(refused.faults)
        return None

    def add_faults(self, faults: list[Fault]) -> None:
        for fault in faults:
            field = fault.loc[-1] if fault.loc and fault.loc[-1] in self.fields else None
            self.add_error(field, fault.msg if field else str(fault))  # type: ignore[arg-type]

    def request(self) -> dict[str, Any]:
        """The body that the API would take for the same build."""
        data = self.cleaned_data
        asked = {name: value for name, value in data.items() if name not in FILTERS and value not in ("", None)}
        return asked | {"filters": asked_filters(data), "instruction": data["instruction"]}


def asked_filters(given: Mapping[str, str]) -> dict[str, Any]:
    """The filters of a form, those that are spelled as an address included. Raises Invalid."""
    further = read_query(dict(parse_qsl(given.get("filters", ""), keep_blank_values=True)))
    return further | {name: given[name] for name in FILTERS if given.get(name)}
